// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

const maxLimit = 100_000

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
