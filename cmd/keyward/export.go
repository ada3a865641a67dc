// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/internal/dotenv"
	"github.com/keyward-go/keyward/vault"
)

func newExportCommand(a *app) *cobra.Command {
	var file, format string
	var force bool
	c := &cobra.Command{
		Use:   "export PATTERN",
		Short: "Write values as a dotenv file or JSON",
		Long: `Export writes the newest values that PATTERN covers, each recorded as a reveal: as KEY=value by the last segment of the path,
which keyward import reads again, or as one JSON object by path. A file is new, and yours alone to read.

To run a program with them, keyward run needs no file.`,
		Example: `  keyward export 'production/search/*' -o .env
  keyward export 'production/*' --format json | jq -r keys[]`,
		Args: want(1, 1, "PATTERN [-o FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "dotenv" && format != "json" {
				return usagef("--format is dotenv or json")
			}
			if file == "" && a.outTerm && !force {
				return usagef("this would show values on your terminal: write them to a file with -o FILE, or say --force-tty")
			}
			ctx := cmd.Context()
			return a.withCaller(ctx, func(c caller) error {
				return a.toFile(file, func(w io.Writer) error { return a.export(ctx, c, args[0], format, w) })
			})
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `FILE`, which must not exist")
	c.Flags().StringVar(&format, "format", "dotenv", "dotenv or json")
	c.Flags().BoolVar(&force, "force-tty", false, "show values on a terminal")
	return c
}

// toFile calls f with a new file that its owner alone can read, which is on the disk on return, or is removed after an error;
// or with the standard output if there is no name.
func (a *app) toFile(name string, f func(io.Writer) error) (err error) {
	if name == "" {
		return f(a.out)
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: a file that is there is not written over", err)
	}
	if err != nil {
		return err
	}
	if err = f(out); err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// export writes what the pattern covers.
func (a *app) export(ctx context.Context, c caller, pattern, format string, w io.Writer) error {
	items, err := c.List(ctx, vault.Request{Path: pattern, Reason: a.reason})
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return fmt.Errorf("%w: no path is covered by the pattern", vault.ErrNotFound)
	}
	if format == "dotenv" {
		before := map[string]string{}
		for _, it := range items {
			key := path.Base(it.Path)
			if other, ok := before[key]; ok {
				return usagef("%s and %s would be the same key: export fewer, or as JSON", other, it.Path)
			}
			before[key] = it.Path
		}
	}
	out := bufio.NewWriter(w)
	lead := "{\n  " // of JSON
	for _, it := range items {
		it, err := c.Get(ctx, vault.Request{Path: it.Path, Reason: a.reason})
		if err != nil {
			return fmt.Errorf("%s: %w", it.Path, err)
		}
		var line string
		if format == "json" {
			line, err = jsonField(it)
			line, lead = lead+line, ",\n  "
		} else {
			line, err = dotenv.Format(path.Base(it.Path), it.Value.Reveal())
		}
		if err != nil {
			return fmt.Errorf("%s: %w; keyward get prints it as it is", it.Path, err)
		}
		if _, err := out.WriteString(line); err != nil {
			return err
		}
	}
	if format == "json" {
		if _, err := out.WriteString("\n}\n"); err != nil {
			return err
		}
	}
	return out.Flush()
}

// jsonField returns a path and its value as a field of an object.
func jsonField(it vault.Item) (string, error) {
	if !utf8.ValidString(it.Value.Reveal()) {
		return "", errors.New("the value is not UTF-8, so JSON cannot hold it")
	}
	value, err := json.Marshal(it.Value.Reveal())
	return fmt.Sprintf("%q: %s", it.Path, value), err
}
