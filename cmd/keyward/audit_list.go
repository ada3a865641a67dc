// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

const (
	maxGroups = 100_000
	maxLimit  = 100_000
)

func newAuditListCommand(a *app) *cobra.Command {
	var flags filterFlags
	var by []string
	var limit positive
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "Show records, or count them",
		Long: `List prints the records that fit all the flags, one a line, the oldest first; with --json each as it stands in the log, with its
whole ids. The log is checked on the way: it is as it was written if the exit code is 0, so wait for it.

With --by it counts them, what was granted apart from what was denied or failed. What operators did stands under agent as
operator:NAME. Who has used a key say --op use and --op get.`,
		Example: `  keyward audit list --since 7d --outcome denied
  keyward audit list --by agent,host --path production/search/key --op use
  keyward audit list --path 'production/*' --limit 20
  keyward audit list --json | jq .reason`,
		Args: want(0, 0, "[--by agent,run,user,host,path,outcome] [--since 7d]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := flags.filter()
			if err != nil {
				return err
			}
			if limit > maxLimit {
				return usagef("--limit is a number of at most %d", maxLimit)
			}
			if cmd.Flags().Changed("by") && len(by) == 0 || slices.ContainsFunc(by, func(name string) bool { return groups[name] == nil }) {
				return usagef("--by is of %s, with commas between", strings.Join(slices.Sorted(maps.Keys(groups)), ", "))
			}
			if len(by) > 0 && f.Outcome == "" && !slices.Contains(by, "outcome") {
				by = append(by, "outcome")
			}
			ctx := cmd.Context()
			return a.withLog(ctx, func(l *vault.Log) error {
				if len(by) > 0 {
					return a.countRecords(ctx, l, f, flags, by, int(limit))
				}
				return a.listRecords(ctx, l, f, flags, int(limit))
			})
		},
	}
	flags.add(c.Flags())
	c.Flags().StringSliceVar(&by, "by", nil, "count them by these `FIELDS`: agent,run,user,tenant,operator,op,path,host,outcome,cause")
	c.Flags().Var(&limit, "limit", "only the newest `N`, or with --by the greatest")
	return c
}

func (a *app) listRecords(ctx context.Context, l *vault.Log, f audit.Filter, flags filterFlags, limit int) error {
	table := recordTable{a: a}
	var newest []audit.Record // at most 2*limit
	n := 0
	for r, err := range l.Records(ctx, f) {
		if err != nil {
			return errors.Join(err, table.flush())
		}
		if !flags.fits(r) {
			continue
		}
		n++
		if limit == 0 {
			if err := table.add(r); err != nil {
				return err
			}
		} else if newest = append(newest, r); len(newest) == 2*limit {
			newest = slices.Delete(newest, 0, limit)
		}
	}
	for _, r := range newest[max(0, len(newest)-limit):] {
		if err := table.add(r); err != nil {
			return err
		}
	}
	if n == 0 && !a.json {
		a.printf("none")
	}
	return table.flush()
}

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
