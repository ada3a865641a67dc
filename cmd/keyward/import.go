// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/internal/dotenv"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// importer puts the keys of a dotenv file below a path.
type importer struct {
	a                     *app
	under                 string
	dryRun, skipUnchanged bool
	only, skip            []string
}

func newImportCommand(a *app) *cobra.Command {
	im := importer{a: a}
	c := &cobra.Command{
		Use:   "import FILE --under PATH",
		Short: "Put the keys of a dotenv file",
		Long: `Import puts each KEY=value of a dotenv file at PATH/KEY, as the next version, and says what became of each. FILE - is the
standard input. If one line is bad nothing is imported; the lines are named. A key that is refused does not stop the others; the
exit code is 1 then. A key without a value is skipped: there is nothing to keep, and such files name what others have to fill in.

There is no standard for such files. This is what is read, in UTF-8 and at most 1 MiB of it:
  KEY=value, or export KEY=value; white space around the two goes, and a line that begins with # says nothing
  'value'    as it is, without a ' in it; also over several lines. So put JSON here: KEY='{"a":"b c"}'
  "value"    as it is but for the escapes of JSON, as \" \\ \n \u00e9, also over several lines
  value      as it is, without a quote in it; a # with a space in front begins a comment, another one is refused
A value is quoted as a whole or not at all: behind the closing quote there is nothing but a comment, and a quote elsewhere is
refused, since readers differ on what it means. Nothing is expanded, no $VAR and no command, and a key stands there once.`,
		Example: `  keyward import .env --under production/search --dry-run
  keyward import .env --under production/search --reason 'out of the repository'
  keyward import .env --under production/search --skip-unchanged
  keyward import .env --under production/search --only OPENAI_API_KEY,TAVILY_API_KEY`,
		Args: want(1, 1, "FILE --under PATH"),
		RunE: func(cmd *cobra.Command, args []string) error { return im.run(cmd.Context(), args[0]) },
	}
	c.Flags().StringVar(&im.under, "under", "", "the `PATH` below which the keys go; required")
	c.Flags().BoolVar(&im.dryRun, "dry-run", false, "change nothing, and say what would become of each key")
	c.Flags().BoolVar(&im.skipUnchanged, "skip-unchanged", false, "leave a key that has this value already; this reads, and records, each that is there")
	c.Flags().StringSliceVar(&im.only, "only", nil, "import these `KEYS` alone, with commas between")
	c.Flags().StringSliceVar(&im.skip, "skip", nil, "leave out these `KEYS`, with commas between")
	return c
}

// chosen returns the entries that the flags choose. A key that is not in the file is a typing mistake.
func (im importer) chosen(entries []dotenv.Entry) ([]dotenv.Entry, error) {
	for _, key := range slices.Concat(im.only, im.skip) {
		if !slices.ContainsFunc(entries, func(e dotenv.Entry) bool { return e.Key == key }) {
			if scope.CheckPath(key) != nil { // a value may be in it
				key = "one of them"
			}
			return nil, usagef("--only and --skip are of keys in the file, and %s is not", key)
		}
	}
	return slices.DeleteFunc(entries, func(e dotenv.Entry) bool {
		return len(im.only) > 0 && !slices.Contains(im.only, e.Key) || slices.Contains(im.skip, e.Key)
	}), nil
}

func (im importer) run(ctx context.Context, file string) error {
	if im.under == "" {
		return usagef("--under is missing: the path below which the keys go, as --under production/search")
	}
	if err := scope.CheckPath(im.under); err != nil {
		return usagef("--under: %v", err)
	}
	entries, err := im.a.readDotenv(ctx, file)
	if err == nil {
		entries, err = im.chosen(entries)
	}
	if err != nil {
		return err
	}
	return im.a.withCaller(ctx, func(c caller) error {
		there, err := im.existing(ctx, c)
		if err != nil {
			return err
		}
		report := make([]imported, 0, len(entries))
		var rows [][]string
		results := map[string]int{}
		progress := im.a.progress("imported")
		for i, e := range entries {
			r, err := im.one(ctx, c, e, there)
			if err != nil { // the rest would fail as well
				progress.clear()
				return errors.Join(err, im.print(report, rows))
			}
			results[r.Result]++
			report = append(report, r)
			rows = append(rows, []string{r.Key, r.Path, r.Result, number(r.Version), r.Why})
			progress.step(i+1, len(entries))
		}
		progress.clear()
		if err := im.print(report, rows); err != nil {
			return err
		}
		im.a.printf("%s", summary(results))
		if im.dryRun {
			im.a.printf("nothing was changed: this was a dry run")
		} else {
			im.tellHostless(ctx, c, report)
		}
		if n := results["refused"]; n > 0 {
			return fmt.Errorf("%d of %d keys were refused", n, len(entries))
		}
		return nil
	})
}

func (a *app) readDotenv(ctx context.Context, file string) ([]dotenv.Entry, error) {
	var in io.ReadCloser = io.NopCloser(a.in)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		in = f
	}
	defer in.Close()
	entries, err := interruptible(ctx, func() ([]dotenv.Entry, error) { return dotenv.Parse(in) })
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, usagef("%s cannot be imported, and nothing was:\n%v", file, err)
	}
	return entries, nil
}

// existing returns the newest version of each path, for a dry run.
func (im importer) existing(ctx context.Context, c caller) (map[string]int, error) {
	if !im.dryRun {
		return nil, nil
	}
	items, err := c.List(ctx, vault.Request{Path: im.under + "/*", Reason: im.a.reason})
	there := map[string]int{}
	for _, it := range items {
		there[it.Path] = it.Version
	}
	return there, err
}

// one imports one key. The error is one that the next key would meet too.
func (im importer) one(ctx context.Context, c caller, e dotenv.Entry, there map[string]int) (r imported, err error) {
	path, value := im.under+"/"+e.Key, vault.NewSecret(e.Value)
	r = imported{Key: e.Key, Path: path, Result: "refused"}
	if scope.CheckPath(path) != nil { // each of the two is good
		r.Why = "the path is too long"
		return r, nil
	}
	if e.Value == "" {
		r.Result, r.Why = "skipped", "the value is empty"
		return r, nil
	}
	if im.skipUnchanged {
		it, err := c.Get(ctx, vault.Request{Path: path, Reason: im.a.reason})
		switch {
		case err == nil && it.Value.Equal(value):
			r.Result, r.Version = "unchanged", it.Version
			return r, nil
		case err != nil && !errors.Is(err, vault.ErrNotFound):
			return im.refused(r, err)
		}
	}
	n := there[path] // of a dry run: what the numbers of a deleted path were is not told
	switch {
	case !im.dryRun:
		if r.Version, err = c.Put(ctx, vault.Item{Path: path, Value: value, Reason: im.a.reason}); err != nil {
			return im.refused(r, err)
		}
	case n > 0:
		r.Version = n + 1
	}
	if r.Result = "next"; r.Version < 2 {
		r.Result = "new"
	}
	return r, nil
}

// refused reports a key that the vault has refused. Any other error the next key would meet too.
func (im importer) refused(r imported, err error) (imported, error) {
	if errors.Is(err, vault.ErrDeadToken) || !errors.Is(err, vault.ErrInvalid) && !errors.Is(err, vault.ErrConflict) && !errors.Is(err, vault.ErrDenied) {
		return r, err
	}
	r.Version, r.Why = 0, im.a.inWords(strings.TrimPrefix(err.Error(), "vault: "))
	return r, nil
}

// number is a number in a table.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
