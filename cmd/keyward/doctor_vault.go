// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

const (
	soon   = 14 * 24 * time.Hour
	oldKey = 365 * 24 * time.Hour
)

// manyRows is how many deciding rows are too many: each process holds them in memory.
var manyRows = 1_000_000

func (d *doctor) checkVault(ctx context.Context, kind, path string) (err error) {
	root, err := d.rootKey(ctx, false)
	if err != nil {
		return err
	}
	store, err := d.openStore(ctx, kind, path)
	if err != nil {
		d.failed("store", err)
		return nil
	}
	there, err := hasVault(ctx, store)
	if err == nil && !there {
		return errors.Join(fmt.Errorf("%w at %s", errNoVault, path), store.Close())
	}
	if err == nil {
		err = d.checkRows(ctx, store)
	}
	if err != nil {
		d.failed("store", err)
		return store.Close()
	}
	cfg, done, err := d.config(ctx, store, root, false)
	if err != nil {
		d.failed("anchor", err)
		return store.Close()
	}
	defer func() { err = errors.Join(err, done()) }()
	v, err := vault.Open(ctx, cfg)
	if err != nil {
		d.failed("vault", err)
		return nil
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	d.ok("vault", "opens, and its rows are those that keyward wrote")
	op, err := d.operator(v)
	if err != nil {
		return err
	}
	l, err := d.logOf(ctx, v, op)
	if err != nil {
		return err
	}
	seen := d.checkLog(ctx, l)
	if d.checkClock(seen) {
		d.checkKeys(ctx, op)
		d.checkSecrets(ctx, op, seen)
	}
	return nil
}

// checkRows counts the rows that decide: all before the sealed values.
func (d *doctor) checkRows(ctx context.Context, store vault.Store) error {
	const page = 256 // the last one may be sealed values
	n := 0
	for from, more := "", true; more; {
		rows, err := store.Rows(ctx, from, page)
		if err != nil {
			return err
		}
		more = len(rows) == page
		for _, r := range rows {
			if strings.HasPrefix(r.Key, "x:") {
				more = false
				break
			}
			n, from = n+1, r.Key+"\x00"
		}
	}
	if n > manyRows {
		d.warn("store", "delete paths that are not used, and revoke rather than count: limit how many tokens have --uses",
			"it has %d rows that every process holds in memory; more than %d are slow to open", n, manyRows)
	}
	return nil
}

// seen is what the log says.
type seen struct {
	n           int64
	first, last time.Time
	keys        time.Time      // when the keys were made
	http        map[string]int // how often a path was wanted for HTTP since its policy was last replaced
}

// checkLog reads the whole log, which checks it against its head.
func (d *doctor) checkLog(ctx context.Context, l *vault.Log) seen {
	s := seen{http: map[string]int{}}
	progress := d.progress("records read")
	defer progress.end()
	for r, err := range l.Records(ctx, audit.Filter{}) {
		if err != nil {
			d.failed("log", err)
			return s
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
	d.ok("log", "%d records, all as they were written", s.n)
	d.checkAge(s)
	return s
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

func (d *doctor) checkKeys(ctx context.Context, op *vault.Operator) {
	keys, err := op.Keys(ctx)
	if err != nil {
		d.failed("keys", err)
		return
	}
	for _, k := range keys {
		kind := "agent"
		if k.Operator {
			kind = "operator"
		}
		if keyState(k) == "alive" && time.Until(k.Expires) < soon {
			d.warn("keys", "keyward "+kind+" create "+k.Name+" makes the next", "%s of %s %s ends at %s", k.ID, kind, k.Name, when(k.Expires))
		}
	}
}

func (d *doctor) checkSecrets(ctx context.Context, op *vault.Operator, s seen) {
	items, err := op.List(ctx, vault.Request{Path: "*", Reason: d.reason})
	if errors.Is(err, vault.ErrInvalid) {
		d.warn("secrets", "keyward list 'production/*' shows some", "their policies were not looked at: %s", err)
		return
	}
	if err != nil {
		d.failed("secrets", err)
		return
	}
	for _, it := range items {
		if end := it.Policy.Expires; !end.IsZero() && time.Now().After(end) {
			d.warn("secrets", "put a new value there and say with keyward policy set when that ends, or delete it",
				"%s ended at %s, so tokens may not use it", it.Path, when(end))
		}
		if n := s.http[it.Path]; n > 0 && len(it.Policy.Hosts) == 0 {
			d.warn("secrets", "keyward policy set "+it.Path+" --host HOST says where it may go", "%s was wanted for HTTP %d times, but it has no hosts", it.Path, n)
		}
	}
}
