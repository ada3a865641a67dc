// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/keyward-go/keyward/vault"
)

const soon = 14 * 24 * time.Hour

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
	d.ok("vault", "opens, and the rows that decide are those that keyward wrote")
	op, err := d.operator(v)
	if err != nil {
		return err
	}
	l, err := d.logOf(ctx, v, op)
	if err != nil {
		return err
	}
	if seen, ok := d.checkLog(ctx, l); ok && d.checkClock(seen) {
		d.checkValues(ctx, op)
		d.checkKeys(ctx, op)
		d.checkFreezes(ctx, op)
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

// checkValues has each sealed value read, which opening does not, by a backup of which nothing is kept.
func (d *doctor) checkValues(ctx context.Context, op *vault.Operator) {
	progress := d.progress("KiB of values read")
	err := op.Backup(ctx, &meter{ctx: ctx, w: io.Discard, progress: progress, unit: 1024}, "doctor: all is read, and nothing kept")
	progress.end(err)
	if err != nil {
		d.failed("values", err)
		return
	}
	d.ok("values", "all sealed values are those that were put")
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

func (d *doctor) checkFreezes(ctx context.Context, op *vault.Operator) {
	all, err := op.Freezes(ctx)
	if err != nil {
		d.failed("freezes", err)
		return
	}
	for _, f := range all {
		d.warn("freezes", "when it is over: keyward thaw "+f.Kind+" '"+f.Value+"'", "%s %s is frozen", f.Kind, f.Value)
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
		for _, t := range troubles(it.Path, it.Policy) {
			d.warn("secrets", t.next, "%s: %s", it.Path, t.text)
		}
		if n := s.http[it.Path]; n > 0 && len(it.Policy.Hosts) == 0 {
			d.warn("secrets", "keyward policy set "+it.Path+" --host HOST says where it may go", "%s was wanted for HTTP %d times, but it has no hosts", it.Path, n)
		}
	}
}
