// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/vault"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// The file describes what the handlers do: it is what the table of operations and their types say. After a change of these, write
// it anew: go test ./server -run OpenAPI -update
func TestOpenAPI(t *testing.T) {
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(describe(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want.Bytes(), server.OpenAPI()) {
		t.Error("openapi.json is not what the table of operations says: go test ./server -run OpenAPI -update")
	}
	resp, text := newBed(t, nil).send(t, "GET", "/api/v1/openapi.json", "")
	if resp.StatusCode != 200 || text != want.String() || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("served: %d %s", resp.StatusCode, resp.Header)
	}
}

// Every error of a vault has a code and a status that the file names.
func TestOpenAPIErrors(t *testing.T) {
	for _, err := range []error{
		vault.ErrInvalid, vault.ErrDenied, vault.ErrDeadToken, vault.ErrNotFound, vault.ErrConflict, vault.ErrNotRecorded, vault.ErrBusy,
		vault.ErrClock, vault.ErrWrongKey, vault.ErrNoKey, vault.ErrKMSUnavailable, vault.ErrTampered, vault.ErrRollback, vault.ErrClosed,
	} {
		no := front.RefusalOf(err)
		if !slices.Contains(codes, no.Code) || failures[strconv.Itoa(no.Status)] == "" {
			t.Errorf("%v: %d %s is not described", err, no.Status, no.Code)
		}
	}
}

type object = map[string]any

var codes = []string{"invalid", "unauthorized", "denied", "not_found", "conflict", "rate_limited", "busy", "unavailable", "timeout", "upstream", "internal"}

// failures are the statuses of errors, and when they are answered.
var failures = map[string]string{
	"400": "invalid: the request is not as it is described here. Nothing was looked up.",
	"401": "unauthorized: no credential, or none that is alive, or one from another network, or of another kind than the operation asks for.",
	"403": "denied: the credential may not do this, or the host or origin of the request is not served.",
	"404": "not_found: no such secret, version, token, key or freeze, for callers whose scope covers it; or no such operation.",
	"405": "invalid: another method is asked for.",
	"409": "conflict: the state is not what the caller expected. Read again, then retry.",
	"413": "invalid: the body is too long.",
	"415": "invalid: the body is not said to be application/json, or is encoded.",
	"429": "rate_limited: wait for Retry-After, then ask again.",
	"500": "internal: the vault could not answer. Its log of faults says why.",
	"503": "busy or unavailable: not recorded, so not answered; the clock, the key service, or a vault that is closed.",
	"504": "timeout: no answer in time.",
}

func describe(t *testing.T) object {
	schemas := object{"Error": object{
		"type": "object", "description": "Why there is no answer. It quotes no value and no token.", "required": []string{"error"},
		"properties": object{"error": object{
			"type": "object", "required": []string{"code", "message"}, "properties": object{
				"code":    object{"type": "string", "enum": codes, "description": "The kind of error, for programs."},
				"message": object{"type": "string", "description": "What is wrong, and what to do next, for people."},
			}}},
	}}
	responses := object{}
	for status, about := range failures {
		responses[status] = object{"description": about, "content": content(ref("schemas", "Error"))}
	}
	retry := object{"Retry-After": object{"description": "Seconds.", "schema": object{"type": "integer", "minimum": 1}}}
	responses["429"].(object)["headers"], responses["503"].(object)["headers"] = retry, retry

	paths := object{"/use/{path}/~/{rest}": gateway()}
	for _, op := range server.Operations() {
		answers := object{"200": object{"description": "Done, and recorded where the summary does not say otherwise.", "content": content(schemaOf(t, schemas, op.Out, false))}}
		if op.Out.Kind() == reflect.String {
			answers["200"] = object{"description": "The text. One that has no last line broke off.", "content": object{"text/plain": object{"schema": object{"type": "string"}}}}
		}
		for status := range failures {
			answers[status] = ref("responses", status)
		}
		paths["/api/v1/"+op.Name] = object{"post": object{
			"operationId": op.Name, "summary": op.About, "description": "Asked for with the credential of: " + op.By + ".", "tags": []string{"api"},
			"requestBody": object{"required": true, "content": content(schemaOf(t, schemas, op.In, true))}, "responses": answers,
		}}
	}
	for path, about := range map[string]string{
		"/healthz":             "Whether the process lives. Nothing is asked of the vault.",
		"/readyz":              "Whether the vault can serve: 503 if not. It is asked once a second at most.",
		"/api/v1/openapi.json": "This file.",
	} {
		answers := object{"200": object{"description": "It is so.", "content": content(object{"type": "object"})}}
		switch path {
		case "/readyz":
			answers["503"] = ref("responses", "503")
		case "/api/v1/openapi.json":
			answers["403"] = ref("responses", "403")
		}
		id := strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".json")
		paths[path] = object{"get": object{"operationId": id, "summary": about, "tags": []string{"state"}, "security": []any{}, "responses": answers}}
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "keyward", "version": "1", "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "Credentials for AI agents: used on their behalf, or revealed, by what each token allows, and recorded before they are. " +
				"Bodies are read strictly: each key once, spelled as here, no null, UTF-8, nothing behind the object. Times are RFC 3339.",
		},
		"servers":  []any{object{"url": "http://127.0.0.1:7423", "description": "keyward serve, as it listens unless told otherwise."}},
		"security": []any{object{"bearer": []string{}}},
		"tags": []any{
			object{"name": "api", "description": "Operations of the vault."},
			object{"name": "gateway", "description": "Use without reveal: requests with a credential applied on the way."},
			object{"name": "state", "description": "For whoever watches the process."},
		},
		"paths": paths,
		"components": object{
			"schemas": schemas, "responses": responses,
			"securitySchemes": object{
				"bearer": object{"type": "http", "scheme": "bearer", "description": "A token (kw_tok_…), an agent key (kw_agent_…) or an operator's credential (kw_op_…)."},
				"apiKey": object{"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "A token (kw_tok_…), for the gateway alone."},
			},
		},
	}
}

func gateway() object {
	text := object{"type": "string"}
	place := object{"parameters": []any{
		object{"name": "path", "in": "path", "required": true, "schema": text, "description": "The path of the secret, with its slashes and without escapes."},
		object{"name": "rest", "in": "path", "required": true, "schema": text, "description": "The path at the host of its policy, with its slashes, sent as it is."},
		object{"name": "Keyward-Host", "in": "header", "schema": text, "description": "Which host, where the policy names several."},
		object{"name": "Keyward-Reason", "in": "header", "schema": text, "description": "Why, for the record: 1 KiB at most. Not sent on."},
		object{"name": "Keyward-Call", "in": "header", "schema": text, "description": "The tool call that it belongs to, for the record: 128 bytes at most. Not sent on."},
	}}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		method = strings.ToLower(method)
		answers := object{
			"default": object{"description": "What the upstream answers, streamed, with the credential masked."},
			"502":     object{"description": "upstream: it gave no answer that can be shown.", "content": content(ref("schemas", "Error"))},
			"504":     object{"description": "upstream: it gave no answer in time.", "content": content(ref("schemas", "Error"))},
		}
		for _, status := range []string{"400", "401", "403", "404", "429", "503"} {
			answers[status] = ref("responses", status)
		}
		place[method] = object{
			"operationId": "use_" + method, "tags": []string{"gateway"}, "summary": "Send a request on, with the credential of path applied as its policy says.",
			"description": "Errors of the gateway itself are JSON as everywhere; any status may be the upstream's.",
			"security":    []any{object{"bearer": []string{}}, object{"apiKey": []string{}}}, "responses": answers,
		}
	}
	return place
}

func content(schema object) object {
	return object{"application/json": object{"schema": schema}}
}

func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

// schemaOf returns the schema of a type; that of a struct is kept by its name. closed is whether other keys are refused.
func schemaOf(t *testing.T, schemas object, typ reflect.Type, closed bool) object {
	switch {
	case typ == reflect.TypeFor[jsontext.Value]():
		return object{"type": "object"}
	case typ.Kind() == reflect.Pointer:
		return schemaOf(t, schemas, typ.Elem(), closed)
	case typ.Kind() == reflect.String:
		return object{"type": "string"}
	case typ.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Int64:
		return object{"type": "integer", "format": "int64", "minimum": 0}
	case typ.Kind() == reflect.Slice:
		return object{"type": "array", "items": schemaOf(t, schemas, typ.Elem(), closed)}
	case typ.Kind() == reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t, schemas, typ.Elem(), closed)}
	case typ.Kind() != reflect.Struct:
		t.Fatalf("%s has no schema", typ)
	}
	name := strings.ToUpper(typ.Name()[:1]) + typ.Name()[1:]
	schema, ok := schemas[name].(object)
	if !ok {
		schema = object{"type": "object"}
		schemas[name] = schema
		properties, required := object{}, []string{}
		for _, f := range reflect.VisibleFields(typ) {
			if f.Anonymous {
				continue
			}
			key, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			about := f.Tag.Get("about")
			if key == "" || about == "" {
				t.Errorf("%s.%s has no key or no description", typ, f.Name)
			}
			if option != "omitzero" {
				required = append(required, key)
			}
			properties[key] = with(schemaOf(t, schemas, f.Type, closed), f.Tag.Get("enum"), about)
		}
		schema["properties"] = properties
		if len(required) > 0 {
			schema["required"] = required
		}
	}
	if closed {
		schema["additionalProperties"] = false
	}
	return ref("schemas", name)
}

func with(schema object, enum, about string) object {
	schema["description"] = about
	if enum != "" {
		schema["enum"] = strings.Split(enum, ",")
	}
	return schema
}
