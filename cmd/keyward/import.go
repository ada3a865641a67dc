// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

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
}

// imported is what became of one key.
type imported struct {
	Key     string `json:"key"`
	Path    string `json:"path"`
	Result  string `json:"result"` // new, next, unchanged or refused
	Version int    `json:"version,omitempty"`
	Why     string `json:"why,omitempty"` // of refused
}

func newImportCommand(a *app) *cobra.Command {
	im := importer{a: a}
	c := &cobra.Command{
		Use:   "import FILE --under PATH",
		Short: "Put the keys of a dotenv file",
		Long: `Import puts each KEY=value of a dotenv file at PATH/KEY, as the next version, and says what became of each. FILE - is the
standard input. Nothing in it is expanded, it has at most 1 MiB, and if one line is bad nothing is imported; the lines are named.
A key that is refused does not stop the others; the exit code is 1 then.`,
		Example: `  keyward import .env --under production/search --dry-run
  keyward import .env --under production/search --reason 'out of the repository'
  keyward import .env --under production/search --skip-unchanged`,
		Args: want(1, 1, "FILE --under PATH"),
		RunE: func(cmd *cobra.Command, args []string) error { return im.run(cmd.Context(), args[0]) },
	}
	c.Flags().StringVar(&im.under, "under", "", "the `PATH` below which the keys go; required")
	c.Flags().BoolVar(&im.dryRun, "dry-run", false, "change nothing, and say what would become of each key")
	c.Flags().BoolVar(&im.skipUnchanged, "skip-unchanged", false, "leave a key that has this value already; this reads, and records, each that is there")
	return c
}

func (im importer) run(ctx context.Context, file string) error {
	if err := scope.CheckPath(im.under); err != nil {
		return usagef("--under: %v", err)
	}
	entries, err := im.a.readDotenv(ctx, file)
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
		refused := 0
		progress := im.a.progress("imported")
		for i, e := range entries {
			r, err := im.one(ctx, c, e, there)
			if err != nil { // the rest would fail as well
				return errors.Join(err, im.print(report, rows))
			}
			if r.Result == "refused" {
				refused++
			}
			report = append(report, r)
			rows = append(rows, []string{r.Key, r.Path, r.Result, number(r.Version), r.Why})
			progress.step(i+1-refused, len(entries))
		}
		if err := im.print(report, rows); err != nil {
			return err
		}
		if im.dryRun {
			im.a.printf("nothing was changed: this was a dry run")
		} else {
			progress.end(nil)
		}
		if refused > 0 {
			return fmt.Errorf("%d of %d keys were refused", refused, len(entries))
		}
		return nil
	})
}

func (im importer) print(report []imported, rows [][]string) error {
	return im.a.printTable(report, "KEY PATH RESULT VERSION WHY", rows)
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
		r.Why = "the value is empty"
		return r, nil
	}
	if im.skipUnchanged {
		it, err := c.Get(ctx, vault.Request{Path: path, Reason: im.a.reason})
		switch {
		case err == nil && it.Value.Equal(value):
			r.Result, r.Version = "unchanged", it.Version
			return r, nil
		case err != nil && !errors.Is(err, vault.ErrNotFound):
			return r, err
		}
	}
	if im.dryRun {
		r.Version = there[path] + 1
	} else if r.Version, err = c.Put(ctx, vault.Item{Path: path, Value: value, Reason: im.a.reason}); err != nil {
		if errors.Is(err, vault.ErrInvalid) || errors.Is(err, vault.ErrConflict) || errors.Is(err, vault.ErrDenied) {
			r.Version, r.Why, err = 0, err.Error(), nil
		}
		return r, err
	}
	if r.Result = "next"; r.Version == 1 {
		r.Result = "new"
	}
	return r, nil
}

// number is a number in a table.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
