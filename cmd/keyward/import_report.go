// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// imported is what became of one key.
type imported struct {
	Key     string `json:"key"`
	Path    string `json:"path"`
	Result  string `json:"result"` // new, next, unchanged, skipped or refused
	Version int    `json:"version,omitempty"`
	Why     string `json:"why,omitempty"` // of refused or skipped
}

// summary counts what became of the keys.
func summary(results map[string]int) string {
	var parts []string
	for _, r := range []string{"new", "next", "unchanged", "skipped", "refused"} {
		if n := results[r]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, r))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "no keys")
}

// tellHostless says which of the paths are not for HTTP yet. A token is not told: to ask could be a refusal in the log.
func (im importer) tellHostless(ctx context.Context, c caller, report []imported) {
	if _, ok := c.(*vault.Operator); !ok {
		return
	}
	items, err := c.List(ctx, vault.Request{Path: im.under + "/*", Reason: im.a.reason})
	if err != nil {
		return // all is imported
	}
	var without []string
	for _, it := range items {
		if len(it.Policy.Hosts) == 0 && slices.ContainsFunc(report, func(r imported) bool { return r.Path == it.Path && r.Version > 0 }) {
			without = append(without, it.Path)
		}
	}
	if len(without) > 0 {
		im.a.printf("%d of these paths have no host, so they are not for HTTP yet: keyward policy set %s --host HOST", len(without), without[0])
	}
}

func (im importer) print(report []imported, rows [][]string) error {
	return im.a.printTable(report, "KEY PATH RESULT VERSION WHY", rows)
}
