// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward-go/keyward/internal/dotenv"
	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

type putBody struct {
	Value       *string                   `json:"value"`
	SecretType  string                    `json:"secret_type"`
	Type        string                    `json:"type"`
	AccessTier  string                    `json:"access_tier"`
	Tier        string                    `json:"tier"`
	Metadata    map[string]jsontext.Value `json:"metadata"` // or null
	Description string                    `json:"description"`
	Tags        map[string]string         `json:"tags"`
	Grace       int64                     `json:"grace_period_seconds"`
}

// item is what is put at path.
func (b putBody) item(path string) (it vault.Item, err error) {
	switch {
	case b.Value == nil:
		return it, front.Malformed("value is missing")
	case b.Grace != 0:
		return it, front.Malformed("grace_period_seconds: the former value stays readable by its version, and is not valid any longer than its provider says; leave it out")
	case b.SecretType != "" && b.Type != "", b.AccessTier != "" && b.Tier != "":
		return it, front.Malformed("secret_type and type are one thing, and so are access_tier and tier: send one of the two")
	}
	it = vault.Item{Path: path, Value: vault.NewSecret(*b.Value), Policy: policyOf(b.SecretType+b.Type, b.AccessTier+b.Tier)}
	if it.Metadata, err = metadata(b.Metadata); err != nil {
		return it, err
	}
	maps.Copy(it.Metadata, b.Tags)
	if b.Description != "" {
		it.Metadata["description"] = b.Description
	}
	return it, nil
}

// put stores a version. POST of a path that is there is a conflict, as the older documentation has it.
func (q *request) put() (any, error) {
	var in putBody
	if err := q.nullable(&in); err != nil {
		return nil, err
	}
	return q.store(in, q.path(), 0)
}

func (q *request) create() (any, error) {
	var in struct {
		Path string `json:"path"`
		putBody
	}
	if err := q.nullable(&in); err != nil {
		return nil, err
	}
	q.reply = http.StatusCreated
	return q.store(in.putBody, in.Path, 1)
}

func (q *request) store(in putBody, path string, version int) (any, error) {
	it, err := in.item(path)
	if err != nil {
		return nil, err
	}
	it.Version = version
	return q.stored(it)
}

// stored puts it, and answers what the caller has sent: who may write need not be one who may look.
func (q *request) stored(it vault.Item) (any, error) {
	n, err := q.by.Door().Put(q.Context(), it)
	if err != nil {
		return nil, err
	}
	it.Version, it.Created = n, time.Now()
	return secretOf(it), nil
}

func (q *request) remove() (any, error) {
	return nil, q.by.Door().Delete(q.Context(), vault.Request{Path: q.path(), Call: q.by.ID})
}

var noValue = &front.Refusal{Status: http.StatusBadRequest, Code: "invalid",
	Message: "keyward makes no values, so nothing was rotated: get a new one from the provider and store it (ass secrets set PATH, or new_value in the body)"}

// rotate stores the new value. The CLI sends none, and no body.
func (q *request) rotate() (any, error) {
	if q.ContentLength == 0 {
		return nil, noValue
	}
	var in struct {
		NewValue *string `json:"new_value"`
	}
	if err := q.body(&in); err != nil {
		return nil, err
	}
	if in.NewValue == nil {
		return nil, noValue
	}
	return q.stored(vault.Item{Path: q.path(), Value: vault.NewSecret(*in.NewValue), Reason: "rotated"})
}

// maxImport is how many keys one call may store: each is a commit of its own, and the rate of who asks counts calls.
const maxImport = 1000

// importEnv stores each key of a dotenv file below a namespace. A file that cannot be read, or a name that is no path, stores
// nothing; what the vault refuses ends it, and the error says what was stored.
func (q *request) importEnv() (any, error) {
	var in struct {
		Namespace  string                    `json:"namespace"`
		Content    string                    `json:"content"`
		SecretType string                    `json:"secret_type"`
		AccessTier string                    `json:"access_tier"`
		Metadata   map[string]jsontext.Value `json:"metadata"`
	}
	if err := q.nullable(&in); err != nil {
		return nil, err
	}
	meta, err := metadata(in.Metadata)
	if err != nil {
		return nil, err
	}
	entries, err := dotenv.Parse(strings.NewReader(in.Content))
	if err != nil {
		return nil, front.Malformed("nothing was imported: %v", err)
	}
	if len(entries) > maxImport {
		return nil, front.Malformed("nothing was imported: the file has more than %d keys", maxImport)
	}
	for _, e := range entries {
		if scope.CheckPath(in.Namespace+"/"+e.Key) != nil {
			return nil, front.Malformed("nothing was imported: with the key on line %d the namespace makes no path", e.Line)
		}
	}
	keys := []string{}
	for _, e := range entries {
		it := vault.Item{Path: in.Namespace + "/" + e.Key, Value: vault.NewSecret(e.Value), Policy: policyOf(in.SecretType, in.AccessTier), Metadata: meta, Reason: "imported"}
		if _, err := q.by.Door().Put(q.Context(), it); err != nil {
			return nil, fmt.Errorf("%w (line %d, %s; the %d keys before it were stored)", err, e.Line, e.Key, len(keys))
		}
		keys = append(keys, e.Key)
	}
	return imported{in.Namespace, keys, len(keys), 0, keys}, nil
}

// imported is what the SDK and the CLI want to know of an import, which is not the same.
type imported struct {
	Namespace string   `json:"namespace"`
	Imported  []string `json:"imported"`
	Count     int      `json:"imported_count"`
	Skipped   int      `json:"skipped"`
	Keys      []string `json:"keys"`
}
