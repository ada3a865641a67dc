// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	childEnv = "KEYWARD_HARNESS_CHILD"
	ackFD    = 3

	// AckFD is how strace shows that descriptor, in front.
	AckFD = "3<"

	childLife = 5 * time.Minute // much longer than any child works on a busy machine
)

// task is what a child is told, in its environment.
type task struct {
	Harness, Store, Dir string
	Bug                 bool
	Args                json.RawMessage
}

// Child is this process in the part of a child.
type Child struct {
	Store Store
	Dir   string // where its vault is
	Bug   bool

	args json.RawMessage
	mu   sync.Mutex
	pipe *os.File
}

func childMain(ctx context.Context, all []Harness, text string) int {
	err := runChild(ctx, all, text)
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var broken *Violation
	switch {
	case err == nil:
		return 0
	case errors.As(err, &broken):
		return ExitBroken
	}
	return ExitError
}

func runChild(ctx context.Context, all []Harness, text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(h Harness) bool { return h.Name == t.Harness && h.Child != nil })
	if i < 0 {
		return errors.New("no such child")
	}
	time.AfterFunc(childLife, func() {
		fmt.Fprintln(os.Stderr, "child: it hangs")
		os.Exit(ExitHung)
	})
	c := &Child{Store: stores[t.Store], Dir: t.Dir, Bug: t.Bug, args: t.Args, pipe: os.NewFile(ackFD, "acknowledgements")}
	return all[i].Child(ctx, c)
}

// Args decodes what Run.Start was given.
func (c *Child) Args(into any) error { return json.Unmarshal(c.args, into) }

// Ack tells the parent what the child learned, in one write. Without a parent to hear it the process ends.
func (c *Child) Ack(a Ack) {
	line, err := json.Marshal(a)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, err = c.pipe.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child: acknowledge:", err)
		os.Exit(ExitMute)
	}
}

// How a child ends that does not end well.
const (
	ExitError  = 1 // Harness.Child returned an error: the harness could not do its work
	ExitCrash  = 2 // the Go runtime's: a panic that nobody recovered
	ExitBroken = 3 // Harness.Child returned a Violation
	ExitMute   = 4 // it could not acknowledge
	ExitHung   = 5 // after childLife
)
