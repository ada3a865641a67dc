// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keyward-go/keyward/internal/front"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// path is what the segments of the URL name. The vault says whether it is one.
func (q *request) path() string { return strings.Join(q.rest, "/") }

// read gets a secret or lists a namespace: see the package comment. Scope decides, before anything is looked up, and what then
// is looked up is in the scope.
func (q *request) read() (any, error) {
	path, one := q.path(), len(q.rest) == 1
	if text := q.URL.Query().Get("version"); text != "" {
		version, err := strconv.Atoi(text)
		if err != nil || version < 1 || strconv.Itoa(version) != text {
			return nil, front.Malformed("version: a number from 1")
		}
		return q.get(path, version)
	}
	lists, reads := q.readsAllBelow(path), q.reads(path)
	switch {
	case one && (q.by.IsOp || lists || !reads), lists && !reads:
		return q.list(path)
	}
	out, err := q.get(path, 0)
	if !one && lists && errors.Is(err, vault.ErrNotFound) {
		l, err := q.list(path)
		if err != nil || len(l.Items) > 0 {
			return l, err
		}
	}
	return out, err
}

func (q *request) get(path string, version int) (any, error) {
	it, err := q.by.Door().Get(q.Context(), vault.Request{Path: path, Version: version, Call: q.by.ID})
	if err != nil {
		return nil, err
	}
	out, value := secretOf(it), it.Value.Reveal()
	if !utf8.ValidString(value) {
		return nil, &front.Refusal{Status: http.StatusNotAcceptable, Code: "not_text", Message: "the value is no UTF-8: POST /api/v1/get answers it in base64"}
	}
	out.Value = &value
	return out, nil
}

func (q *request) list(namespace string) (list, error) {
	all, err := q.by.Door().List(q.Context(), vault.Request{Path: namespace + "/*", Call: q.by.ID})
	return listOf(namespace, all), err
}

func (q *request) listNamespace() (any, error) {
	namespace := q.URL.Query().Get("namespace")
	if namespace == "" {
		return nil, front.Malformed("say which: ?namespace=production/search; GET /v1/namespaces lists them")
	}
	return q.list(namespace)
}

// readsAllBelow reports whether the bearer covers reading everything below path: what the SDK asks for to list a namespace.
func (q *request) readsAllBelow(path string) bool {
	all, err := scope.Parse("secrets:read:" + path + "/*")
	return err == nil && q.consent(func(s scope.Set) bool { _, ok := s.Covers(all); return ok })
}

func (q *request) reads(path string) bool {
	return q.consent(func(s scope.Set) bool { return s.Allows(scope.Read, path) })
}

// consent reports whether every link of the bearer that says scopes has the right ones. What it is used for is no more than
// which question the door is asked.
func (q *request) consent(has func(scope.Set) bool) bool {
	if q.by.IsOp {
		return true
	}
	claims, err := q.by.Door().Claims(q.Context())
	for _, l := range claims {
		if !l.Grant.Scopes.IsZero() && !has(l.Grant.Scopes) {
			return false
		}
	}
	return err == nil
}

type namespace struct {
	Namespace string `json:"namespace"`
	Secrets   int    `json:"secret_count"`
}

// namespaces lists those that have a secret which the bearer may list.
func (q *request) namespaces() (any, error) {
	all, err := q.by.Door().List(q.Context(), vault.Request{Path: "*", Call: q.by.ID})
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, it := range all {
		if ns, _ := cut(it.Path); ns != "" { // the clients have no name for what is in none
			count[ns]++
		}
	}
	var out struct {
		Namespaces []string    `json:"namespaces"`
		Items      []namespace `json:"items"`
	}
	out.Namespaces, out.Items = []string{}, []namespace{}
	for _, ns := range slices.Sorted(maps.Keys(count)) {
		out.Namespaces, out.Items = append(out.Namespaces, ns), append(out.Items, namespace{ns, count[ns]})
	}
	return out, nil
}
