// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

const oldKey = 365 * 24 * time.Hour

// seen is what the log says.
type seen struct {
	n           int64
	first, last time.Time
	keys        time.Time      // when the keys were made
	http        map[string]int // how often a path was wanted for HTTP since its policy was last replaced
}

// checkLog reads the whole log, which checks it against its head, and reports whether it holds.
func (d *doctor) checkLog(ctx context.Context, l *vault.Log) (seen, bool) {
	s := seen{http: map[string]int{}}
	progress := d.progress("records read")
	for r, err := range l.Records(ctx, audit.Filter{}) {
		if err != nil {
			progress.end(err)
			d.failed("log", err)
			return s, false
		}
		if s.n == 0 {
			s.first = r.Time
		}
		s.n++
		s.last = r.Time
		granted := r.Outcome == audit.Granted
		switch {
		case r.Op == "create", r.Op == "rotate" && granted && strings.Contains(r.Detail, `"step":"end"`):
			s.keys = r.Time
		case r.Op == "policy" && granted:
			delete(s.http, r.Path)
		case r.Op == "use" && (r.Cause == "no_hosts" || granted && r.Host != ""):
			s.http[r.Path]++
		}
		if s.n%1000 == 0 {
			progress.step(int(s.n), 0)
		}
	}
	progress.step(int(s.n), 0)
	progress.end(nil)
	d.ok("log", "%d records, all as they were written", s.n)
	d.checkAge(s)
	return s, true
}

func (d *doctor) checkAge(s seen) {
	text, made := "the keys of the vault were made at "+when(s.keys), s.keys
	if made.IsZero() {
		text, made = "the keys of the vault are older than the records that are left, which begin at "+when(s.first), s.first
	}
	if time.Since(made) > oldKey {
		d.warn("keys", "keyward rotate makes new ones; tokens live on", "%s", text)
	} else {
		d.ok("keys", "%s", text)
	}
}

// checkClock reports whether the vault takes the clock.
func (d *doctor) checkClock(s seen) bool {
	if behind := time.Until(s.last); behind > clockSlack {
		d.problem("clock", "set the clock of this machine; if it is right, and was ahead when that was written, keyward reset-clock",
			"is %s behind the last record, of %s, so everything is refused", behind.Round(time.Second), when(s.last))
		return false
	}
	d.ok("clock", "is not behind the log")
	return true
}
