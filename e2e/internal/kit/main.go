// SPDX-License-Identifier: Apache-2.0

// Package kit is what the groups are made of: a vault behind the built command, a scripted LLM, workers that run clients, and
// a search for values where there must be none.
package kit

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// Group is one kind of client.
type Group struct {
	Name   string
	Proves string   // one line
	Serve  []string // flags of keyward serve, beside where it listens
	Run    func(context.Context, *Kit) error
}

// ErrSkip is what a group returns, wrapped, if this machine lacks what it needs.
var ErrSkip = errors.New("skipped")

// Main runs the groups that args name, or all, and returns the exit code.
func Main(ctx context.Context, groups []Group, args []string) int {
	flags := flag.NewFlagSet("e2e", flag.ContinueOnError)
	list := flags.Bool("list", false, "list the groups")
	keep := flags.Bool("keep", false, "leave the folder of each group behind")
	binary := flags.String("keyward", "", "use this `file` and do not build ./cmd/keyward")
	if flags.Parse(args) != nil {
		return 2
	}
	if *list {
		for _, g := range groups {
			fmt.Printf("%-16s %s\n", g.Name, g.Proves)
		}
		return 0
	}
	for _, name := range flags.Args() {
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.Name == name }) {
			fmt.Fprintf(os.Stderr, "there is no group %q; -list shows what there is\n", name)
			return 2
		}
	}
	root, err := repository(ctx)
	if err == nil && *binary == "" {
		*binary, err = build(ctx, root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := 0
	for _, g := range groups {
		if flags.NArg() > 0 && !slices.Contains(flags.Args(), g.Name) {
			continue
		}
		start := time.Now()
		err := run(ctx, g, root, *binary, *keep)
		verdict := "ok"
		switch {
		case errors.Is(err, ErrSkip):
			verdict = err.Error()
		case err != nil:
			verdict, code = "FAILED: "+err.Error(), 1
		}
		fmt.Printf("%-16s %6.1fs  %s\n", g.Name, time.Since(start).Seconds(), verdict)
	}
	return code
}

// run runs one group in a folder of its own.
func run(ctx context.Context, g Group, root, binary string, keep bool) error {
	fmt.Printf("%-16s          %s\n", g.Name, g.Proves)
	dir, err := os.MkdirTemp("", "keyward-e2e-")
	if err != nil {
		return err
	}
	if keep {
		fmt.Println("  its folder:", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	k, err := newKit(ctx, root, binary, dir, g.Serve)
	if err != nil {
		return err
	}
	return errors.Join(g.Run(ctx, k), k.close())
}
