// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent"
)

// No way to spell the name of an argument makes another one of it.
func TestHandleNames(t *testing.T) {
	v := open(t)
	const h = `"{{secret:production/search/key}}"`
	for name, args := range map[string]string{
		"below an empty key":        `{"":{"token":` + h + `}}`,
		"below two of them":         `{"":{"":{"token":` + h + `}}}`,
		"an empty key":              `{"":` + h + `}`,
		"an empty key inside":       `{"headers":{"":{"key":` + h + `}}}`,
		"a key with a dot":          `{"headers.key":` + h + `}`,
		"half of it":                `{"headers":{".key":` + h + `}}`,
		"dot in front":              `{".token":` + h + `}`,
		"dot behind":                `{"token.":` + h + `}`,
		"upper case":                `{"TOKEN":` + h + `}`,
		"a list":                    `{"headers":[{"key":` + h + `}]}`,
		"a list by its name":        `{"list[]":` + h + `}`,
		"in a list":                 `{"list":[` + h + `]}`,
		"twice, the last elsewhere": `{"token":` + h + `,"q":` + h + `}`,
		"deeper":                    `{"token":{"token":` + h + `}}`,
		"higher":                    `{"key":` + h + `}`,
	} {
		a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
		answer, err := a.Wrap(func(_ context.Context, args string) (string, error) {
			t.Errorf("%s: the tool got %s", name, args)
			return "", nil
		}, agent.Handles{"token": "", "headers.key": ""})(t.Context(), args)
		if err != nil || !strings.HasPrefix(answer, "Malformed") {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
}

// Deep arguments take memory as they are long, and not as their square.
func TestDeepArguments(t *testing.T) {
	v := open(t)
	a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
	key := strings.Repeat("k", 90)
	args := strings.Repeat(`{"`+key+`":`, 9000) + `"\u0021"` + strings.Repeat("}", 9000)
	called := false
	f := a.Wrap(func(context.Context, string) (string, error) { called = true; return "", nil }, agent.Handles{"token": ""})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if answer, err := f(t.Context(), args); err != nil || !called {
		t.Errorf("%.100q, %v", answer, err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64*uint64(len(args)) {
		t.Errorf("%d bytes of arguments took %d MB", len(args), n>>20)
	}
}

// A short text does not become a long one by naming one long value over and over.
func TestRepeatedHandles(t *testing.T) {
	v := open(t)
	for n, want := range map[int]int{16: 1, 17: 0, 40000: 0} {
		a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
		calls := 0
		answer, err := a.Wrap(func(context.Context, string) (string, error) { calls++; return "", nil }, agent.Handles{"token": ""})(
			t.Context(), `{"token":"`+strings.Repeat("{{secret:"+search+"}}", n)+`"}`)
		if err != nil || calls != want || (answer == "") != (want == 1) {
			t.Errorf("%d handles: %d calls, %q, %v", n, calls, answer, err)
		}
	}
}
