// SPDX-License-Identifier: Apache-2.0

// Package kit is the little that the harnesses share: the command, one run of a harness and its line of result, child
// processes that acknowledge what they learned on a pipe, and the book that compares these acknowledgements with a vault's
// log.
package kit

import (
	"context"
	"fmt"
	"regexp"
)

// Harness is one way of breaking vaults.
type Harness struct {
	Name    string
	About   string         // one line
	Bug     string         // what -bug breaks, one line
	BugSays *regexp.Regexp // matches the violation that comes of it; another one may have nothing to do with it
	Stores  []string       // it is run on each; names of the table in store.go
	Short   int            // rounds in CI, about 10 s
	Long    int            // rounds with -long
	InRAM   bool           // its folder may lie in memory
	Unit    string         // what a round is, in the plural: "rounds", "cases", "images"

	// Run is the harness. Its error is a Violation if a promise of keyward was broken; any other means that the harness
	// itself could not do its work, which is never a good verdict.
	Run func(context.Context, *Run) error
	// Child is what its child processes do, those of Run.Start. Nil if it has none.
	Child func(context.Context, *Child) error
}

// Violation is a broken promise of keyward.
type Violation struct{ What string }

func (v *Violation) Error() string { return v.What }

// Violationf makes a Violation.
func Violationf(format string, args ...any) error {
	return &Violation{fmt.Sprintf(format, args...)}
}
