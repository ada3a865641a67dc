// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"
)

const longWork = 10 * time.Second

// progress tells how far a long work is: on a terminal in one line that is written over, at most ten times a second; elsewhere
// in one line at the end, if it was long.
type progress struct {
	a           *app
	what        string
	done, total int
	began, last time.Time
}

func (a *app) progress(what string) *progress { return &progress{a: a, what: what, began: time.Now()} }

// step says that done of total are done; a total of 0 is not known.
func (p *progress) step(done, total int) {
	p.done, p.total = done, total
	if now := time.Now(); p.a.errTerm && now.Sub(p.last) >= 100*time.Millisecond {
		p.last = now
		fmt.Fprintf(p.a.err, "\r\x1b[K%s", p.text())
	}
}

// end says how much was done, but for work that failed: nothing stands above an error.
func (p *progress) end(err error) {
	p.clear()
	if err == nil && (p.a.errTerm || time.Since(p.began) > longWork) {
		fmt.Fprintln(p.a.err, p.text())
	}
}

// clear takes away the line that was written over.
func (p *progress) clear() {
	if p.a.errTerm {
		fmt.Fprint(p.a.err, "\r\x1b[K")
	}
}

func (p *progress) text() string {
	if p.total > 0 {
		return fmt.Sprintf("%s: %d of %d", p.what, p.done, p.total)
	}
	return fmt.Sprintf("%s: %d", p.what, p.done)
}
