// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"cmp"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/vault"
)

// secret is a secret in an answer, with the names of both generations of the vendor's documentation.
type secret struct {
	ID          string            `json:"id"`
	Path        string            `json:"path"`
	Namespace   string            `json:"namespace"`
	Key         string            `json:"key"`
	Value       *string           `json:"value,omitempty"`
	Version     int               `json:"version"`
	SecretType  string            `json:"secret_type"`
	Type        string            `json:"type"`
	AccessTier  string            `json:"access_tier"`
	Tier        string            `json:"tier"`
	Metadata    map[string]string `json:"metadata"`
	Description string            `json:"description,omitempty"`
	CreatedAt   string            `json:"created_at"`
	UpdatedAt   string            `json:"updated_at"`
	ExpiresAt   *string           `json:"expires_at"`
}

func secretOf(it vault.Item) secret {
	s := secret{
		ID: it.Path, Path: it.Path, Version: it.Version, Metadata: it.Metadata, Description: it.Metadata["description"],
		SecretType: cmp.Or(it.Policy.Type, anyType), AccessTier: cmp.Or(string(it.Policy.Tier), string(vault.Standard)),
		CreatedAt: stamp(it.Created), UpdatedAt: stamp(it.Created),
	}
	s.Type, s.Tier = s.SecretType, s.AccessTier
	s.Namespace, s.Key = cut(it.Path)
	if s.Metadata == nil {
		s.Metadata = map[string]string{}
	}
	if !it.Policy.Expires.IsZero() {
		at := stamp(it.Policy.Expires)
		s.ExpiresAt = &at
	}
	return s
}

// list is the answer that lists a namespace.
type list struct {
	Namespace string   `json:"namespace"`
	Items     []secret `json:"items"`
}

// listOf keeps what is in the namespace itself.
func listOf(namespace string, all []vault.Item) list {
	out := list{namespace, []secret{}}
	for _, it := range all {
		if s := secretOf(it); s.Namespace == namespace {
			out.Items = append(out.Items, s)
		}
	}
	return out
}

const anyType = "custom" // what the clients send if nobody says a type

// policyOf is what a client says of a path. What the clients send when nobody said it changes nothing.
func policyOf(kind, tier string) vault.Policy {
	p := vault.Policy{Type: kind, Tier: vault.Tier(tier)}
	if kind == anyType {
		p.Type = ""
	}
	if p.Tier == vault.Standard {
		p.Tier = ""
	}
	return p
}

// metadata takes strings only: the vault has nothing else.
func metadata(in map[string]jsontext.Value) (map[string]string, error) {
	out := make(map[string]string, len(in))
	for k, v := range in {
		if v.Kind() != '"' {
			return nil, front.Malformed("metadata: every value is a string; write others as text")
		}
		b, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return nil, front.Malformed("metadata: every value is a string")
		}
		out[k] = string(b)
	}
	return out, nil
}

// cut takes a path apart: the last segment is the key.
func cut(path string) (namespace, key string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
