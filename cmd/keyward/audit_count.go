// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

const maxGroups = 100_000

// groups are the fields by which records can be counted.
var groups = map[string]func(audit.Record) string{
	"agent":    actor,
	"run":      func(r audit.Record) string { return r.Run },
	"user":     func(r audit.Record) string { return r.User },
	"tenant":   func(r audit.Record) string { return r.Tenant },
	"operator": func(r audit.Record) string { return r.Operator },
	"op":       func(r audit.Record) string { return r.Op },
	"path":     func(r audit.Record) string { return r.Path },
	"host":     func(r audit.Record) string { return r.Host },
	"outcome":  func(r audit.Record) string { return string(r.Outcome) },
	"cause":    func(r audit.Record) string { return r.Cause },
}

func (a *app) countRecords(ctx context.Context, l *vault.Log, f audit.Filter, flags filterFlags, by []string, limit int) error {
	counts := map[string]int{}
	progress, n := a.progress("records read"), 0
	for r, err := range l.Records(ctx, f) {
		if err != nil {
			progress.end(err)
			return err
		}
		if n++; n%1000 == 0 {
			progress.step(n, 0)
		}
		if !flags.fits(r) {
			continue
		}
		var key []string
		for _, name := range by {
			key = append(key, groups[name](r))
		}
		counts[strings.Join(key, "\x00")] += max(1, r.Count) // one record may stand for several refusals
		if len(counts) > maxGroups {
			return usagef("there are more than %d groups: count by fewer fields, or of fewer records", maxGroups)
		}
	}
	progress.step(n, 0)
	progress.end(nil)
	order := slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	})
	if limit > 0 && len(order) > limit {
		order = order[:limit]
	}
	out, rows := make([]map[string]any, 0, len(order)), [][]string{}
	for _, key := range order {
		values := strings.Split(key, "\x00")
		group := map[string]any{"count": counts[key]}
		for i, name := range by {
			group[name] = values[i]
		}
		out = append(out, group)
		rows = append(rows, append([]string{strconv.Itoa(counts[key])}, values...))
	}
	return a.printTable(out, "COUNT "+strings.ToUpper(strings.Join(by, " ")), rows)
}
