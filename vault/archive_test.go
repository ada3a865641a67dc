// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// aged is a vault with a log of several days: a Get an hour.
func aged(t testing.TB, days int) *attacked {
	t.Helper()
	a := attack(t)
	for range days * 24 {
		a.clock.add(time.Hour)
		if err := attackGet(a.op, attackPath); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// archiveDays archives all but the last days, and returns the file and the checkpoint in it.
func (a *attacked) archiveDays(days int) (file, checkpoint []byte) {
	a.t.Helper()
	var w bytes.Buffer
	if err := a.op.Archive(context.Background(), a.clock.now().AddDate(0, 0, -days), &w, "old"); err != nil {
		a.t.Fatal(err)
	}
	return w.Bytes(), checkpointOf(w.Bytes())
}

// checkpointOf is what an export begins with.
func checkpointOf(export []byte) []byte {
	parts := bytes.SplitAfterN(export, []byte("\n\n"), 3)
	return append(append([]byte(nil), parts[0]...), parts[1][:len(parts[1])-1]...)
}

func (a *attacked) first() int64 { return a.records(audit.Filter{}, 0)[0].Seq }

func TestArchive(t *testing.T) {
	ctx := context.Background()
	a := aged(t, 10)
	elsewhere := a.open(vault.Config{}) // knows only the log before the cut
	key := a.v.Log().Key()
	before, err := a.v.Log().Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	all := a.records(audit.Filter{}, 0)

	file, from := a.archiveDays(3)
	h, err := audit.Verify(bytes.NewReader(file), key)
	if err != nil {
		t.Fatal("the archive:", err)
	}
	if first := a.first(); first != h.Size || first < 100 || all[first].Time.Before(a.clock.now().AddDate(0, 0, -3)) || !all[first-1].Time.Before(a.clock.now().AddDate(0, 0, -3)) {
		t.Errorf("the log begins at %d, the archive ends at %d", first, h.Size)
	}
	last := a.records(audit.Filter{}, -1)[0]
	want := fmt.Sprintf(`{"first":0,"size":%d,"root":"%s","before":%d}`, h.Size, base64.StdEncoding.EncodeToString(h.Root[:]), a.clock.now().AddDate(0, 0, -3).Unix())
	if last.Op != "archive" || last.Outcome != audit.Granted || last.Reason != "old" || last.Operator != "admin" || last.Detail != want {
		t.Errorf("recorded as %s", last)
	}

	// Every process, and one that opens the vault afterwards, goes on with what is left.
	for name, v := range map[string]*vault.Vault{"the process itself": a.v, "another": elsewhere, "a later one": a.open(vault.Config{})} {
		checkArchived(t, name, v, all, h, before, from)
	}
	if err := attackGet(elsewhere.Operator("admin"), attackPath); err != nil {
		t.Fatal(err)
	}

	// And once more: the second archive begins where the first ended.
	a.clock.add(48 * time.Hour)
	file, next := a.archiveDays(3)
	if _, err := audit.Verify(bytes.NewReader(file), key); err == nil {
		t.Error("the second archive passes for the whole log")
	}
	if g, err := audit.VerifyFrom(from, bytes.NewReader(file), key); err != nil || g.Size <= h.Size || g.Size != a.first() {
		t.Errorf("the second archive: %+v, %v", g, err)
	}
	for name, v := range map[string]*vault.Vault{"the process itself": a.v, "another": elsewhere, "a later one": a.open(vault.Config{})} {
		text, err := exportOf(v)
		if err == nil {
			_, err = audit.VerifyFrom(next, strings.NewReader(text), key)
		}
		if err := errors.Join(err, v.Log().Verify(ctx, next)); err != nil {
			t.Errorf("%s: behind the second archive: %v", name, err)
		}
	}
}

// checkArchived calls every function of a log that begins at the size of h. before is a checkpoint of the whole log, from
// that of the archive.
func checkArchived(t *testing.T, name string, v *vault.Vault, all []audit.Record, h audit.Head, before, from []byte) {
	t.Helper()
	ctx := context.Background()
	log, key := v.Log(), v.Log().Key()
	fine := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %s: %v", name, what, err)
		}
	}
	refused := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: %s: %v, want %v", name, what, err, want)
		}
	}
	since := func(seq int64) (n int, err error) {
		for r, err := range log.Records(ctx, audit.Filter{Since: seq}) {
			if err != nil {
				return n, err
			}
			if want := max(seq, h.Size) + int64(n); r.Seq != want {
				return n, fmt.Errorf("record %d where %d is next", r.Seq, want)
			}
			n++
		}
		return n, nil
	}
	for seq, want := range map[int64]error{1: vault.ErrNotFound, h.Size - 1: vault.ErrNotFound, 0: nil, h.Size: nil, h.Size + 5: nil, 1e9: nil} {
		n, err := since(seq)
		if !errors.Is(err, want) || (n > 0) != (want == nil && seq < 1e9) || errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: Records since %d: %d records, %v", name, seq, n, err)
		}
	}
	followed := 0
	for _, err := range log.Follow(ctx, audit.Filter{}) {
		fine("Follow", err)
		if followed++; followed == 5 {
			break
		}
	}
	for _, err := range log.Follow(ctx, audit.Filter{Since: h.Size - 1}) {
		refused("Follow from an archived record", err, vault.ErrNotFound)
	}

	checkpoint, err := log.Checkpoint(ctx)
	fine("Checkpoint", err)
	newest, err := audit.ParseCheckpoint(checkpoint, key)
	fine("ParseCheckpoint", err)
	fine("Verify", log.Verify(ctx))
	fine("Verify with checkpoints", log.Verify(ctx, before, from, checkpoint))
	old, err := audit.ParseCheckpoint(before, key)
	fine("ParseCheckpoint", err)
	text, err := exportOf(v)
	fine("Export", err)
	if _, err := audit.Verify(strings.NewReader(text), key); err == nil {
		t.Errorf("%s: what is left passes for the whole log", name)
	}
	_, err = audit.VerifyFrom(from, strings.NewReader(text), key, before)
	fine("VerifyFrom", err)

	for _, c := range []struct {
		seq        int64
		checkpoint []byte
		head       audit.Head
	}{{h.Size, checkpoint, newest}, {h.Size + 7, before, old}, {newest.Size - 1, checkpoint, newest}, {old.Size - 1, before, old}} {
		line, p, err := log.Prove(ctx, c.seq, c.checkpoint)
		fine("Prove", err)
		fine("CheckRecord", audit.CheckRecord(line, c.seq, c.head, p))
		if c.seq < int64(len(all)) && string(line) != all[c.seq].String() {
			t.Errorf("%s: record %d is another", name, c.seq)
		}
	}
	_, _, err = log.Prove(ctx, h.Size-1, checkpoint)
	refused("Prove an archived record", err, vault.ErrNotFound)
	_, _, err = log.Prove(ctx, 3, from)
	refused("Prove an archived record in its archive", err, vault.ErrNotFound)

	for _, c := range []struct {
		older, newer []byte
		from, to     audit.Head
	}{{from, checkpoint, h, newest}, {before, checkpoint, old, newest}, {from, before, h, old}, {from, from, h, h}} {
		p, err := log.ProveConsistent(ctx, c.older, c.newer)
		fine("ProveConsistent", err)
		fine("CheckConsistent", audit.CheckConsistent(c.from, c.to, p))
	}
	if _, err := v.Operator("admin").Tokens(ctx); err != nil {
		t.Errorf("%s: Tokens: %v", name, err)
	}
}

// TestArchiveOlderCheckpoint: what a checkpoint from before the cut covers is not in the log any more. That is said, and is
// neither a success nor tampering.
func TestArchiveOlderCheckpoint(t *testing.T) {
	ctx := context.Background()
	a := attack(t)
	old, err := a.v.Log().Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		a.clock.add(time.Hour)
		if err := attackGet(a.op, attackPath); err != nil {
			t.Fatal(err)
		}
	}
	file, from := a.archiveDays(1)
	newest, err := a.v.Log().Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.v.Log().Verify(ctx, old); !errors.Is(err, vault.ErrInvalid) || errors.Is(err, vault.ErrTampered) {
		t.Errorf("Verify: %v", err)
	}
	if _, err := a.v.Log().ProveConsistent(ctx, old, newest); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("ProveConsistent: %v", err)
	}
	// The archive that covers it, then from there.
	if _, err := audit.Verify(bytes.NewReader(file), a.v.Log().Key(), old); err != nil {
		t.Error(err)
	}
	if err := a.v.Log().Verify(ctx, from); err != nil {
		t.Error(err)
	}
}

func TestArchiveRefuses(t *testing.T) {
	ctx := context.Background()
	a := aged(t, 3)
	issued := a.clock.now()
	a.issue(vault.Grant{TTL: 20 * time.Hour})
	for range 10 {
		a.clock.add(time.Hour)
		if err := attackGet(a.op, attackPath); err != nil {
			t.Fatal(err)
		}
	}
	failure := errors.New("disk is full")
	for _, c := range []struct {
		name   string
		before time.Time
		w      io.Writer
		want   error
	}{
		{"no time", time.Time{}, &bytes.Buffer{}, vault.ErrInvalid},
		{"a time that no record could hold", time.Unix(1<<50, 0), &bytes.Buffer{}, vault.ErrInvalid},
		{"all of the log", a.clock.now().Add(time.Hour), &bytes.Buffer{}, vault.ErrInvalid},
		{"nothing", a.clock.now().AddDate(0, 0, -9), &bytes.Buffer{}, vault.ErrNotFound},
		{"the issue of a token that lives", issued.Add(time.Second), &bytes.Buffer{}, vault.ErrInvalid},
		{"no writer", issued, nil, vault.ErrInvalid},
		{"a writer that fails", issued, &badWriter{err: failure}, failure},
		{"a writer that fails late", issued, &badWriter{after: 10_000, err: failure}, failure},
		{"a writer that fails at the last byte", issued, &badWriter{after: -1, err: failure}, failure},
		{"a writer that takes less", issued, &badWriter{after: 10_000}, io.ErrShortWrite},
		{"a file that cannot be synced", issued, syncing{&bytes.Buffer{}, failure}, failure},
		{"a writer that panics", issued, panicking{}, nil},
	} {
		if w, ok := c.w.(*badWriter); ok && w.after < 0 {
			w.after = len(archiveOf(t, a, issued)) - 1
		}
		first, size := a.first(), a.next()
		err := a.op.Archive(ctx, c.before, c.w, "")
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if a.first() != first || a.next() > size+1 {
			t.Errorf("%s: lines were dropped", c.name)
		}
		if b, ok := c.w.(*bytes.Buffer); ok && b.Len() > 0 {
			t.Errorf("%s: something was written", c.name)
		}
		if r := a.records(audit.Filter{}, -1)[0]; c.w != nil && (r.Op != "archive" || r.Outcome == audit.Granted) {
			t.Errorf("%s: recorded as %s", c.name, r)
		}
		if err := a.v.Log().Verify(ctx); err != nil {
			t.Errorf("%s: the log afterwards: %v", c.name, err)
		}
	}
	// At exactly its end the token is dead, and its issue may go.
	a.clock.add(9 * time.Hour)
	if err := a.op.Archive(ctx, issued.Add(time.Second), io.Discard, ""); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("an hour before the token's end: %v", err)
	}
	a.clock.add(time.Hour)
	if err := a.op.Archive(ctx, issued.Add(time.Second), io.Discard, ""); err != nil {
		t.Errorf("at the token's end: %v", err)
	}
	if err := a.op.Archive(ctx, a.clock.now().Add(time.Second), io.Discard, ""); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("all of the log, of which no token lives: %v", err)
	}
	if err := a.v.Operator("a name ").Archive(ctx, issued, io.Discard, ""); !errors.Is(err, vault.ErrInvalid) {
		t.Error(err)
	}
	if err := a.v.Remote(a.issue(vault.Grant{}).Token(), netip.Addr{}).Archive(ctx, issued, panicking{}, ""); !errors.Is(err, vault.ErrDeadToken) {
		t.Errorf("a token as an operator: %v", err)
	}
}

// archiveOf is the archive that would be written, by a process on a copy of the store.
func archiveOf(t testing.TB, a *attacked, before time.Time) []byte {
	t.Helper()
	v, err := vault.Open(context.Background(), vault.Config{Store: dumpOf(t, a.store).store(t), Root: attackRoot(1), Now: a.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	var w bytes.Buffer
	if err := v.Operator("admin").Archive(context.Background(), before, &w, ""); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// next is the number of the record to come, also of a log that begins at a cut.
func (a *attacked) next() int64 { return a.records(audit.Filter{}, -1)[0].Seq + 1 }

type badWriter struct {
	after int
	err   error
}

func (w *badWriter) Write(b []byte) (int, error) {
	if w.after -= len(b); w.after < 0 {
		return max(0, len(b)+w.after), w.err
	}
	return len(b), nil
}

type syncing struct {
	io.Writer
	err error
}

func (s syncing) Sync() error { return s.err }

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("a writer of a user's own") }

// writing runs a function at its first Write.
type writing struct {
	bytes.Buffer
	do func()
}

func (w *writing) Write(b []byte) (int, error) {
	if w.do != nil {
		w.do()
		w.do = nil
	}
	return w.Buffer.Write(b)
}

// TestArchiveMeanwhile: while an archive is written the vault goes on. Of two archives that are written at a time one drops
// lines, in whatever processes they are; the other's file is true all the same.
func TestArchiveMeanwhile(t *testing.T) {
	ctx := context.Background()
	for _, where := range []string{"in one process", "in another"} {
		a := aged(t, 5)
		other := a.v
		if where == "in another" {
			other = a.open(vault.Config{})
		}
		var second []byte
		w := &writing{do: func() {
			if err := attackGet(a.op, attackPath); err != nil {
				t.Error("a Get while an archive is written:", err)
			}
			var b bytes.Buffer
			if err := other.Operator("second").Archive(ctx, a.clock.now().AddDate(0, 0, -2), &b, ""); err != nil {
				t.Errorf("%s: the second, which is faster: %v", where, err)
			}
			second = b.Bytes()
		}}
		if err := a.op.Archive(ctx, a.clock.now().AddDate(0, 0, -3), w, ""); !errors.Is(err, vault.ErrConflict) && !errors.Is(err, vault.ErrNotFound) {
			t.Errorf("%s: the first: %v", where, err)
		}
		if h, err := audit.Verify(bytes.NewReader(second), a.v.Log().Key()); err != nil || h.Size != a.first() {
			t.Errorf("%s: %+v, %v", where, h, err)
		}
		for _, v := range []*vault.Vault{a.v, other} {
			if err := v.Log().Verify(ctx); err != nil {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
}

// TestArchivedTokens: the rows of tokens whose issue was archived outlive it, but Tokens shows those that may be alive.
func TestArchivedTokens(t *testing.T) {
	ctx := context.Background()
	a := attack(t)
	short := a.issue(vault.Grant{TTL: time.Hour})
	claims, err := short.Claims(ctx)
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := short.Token().Narrow(vault.Grant{Scopes: scope.MustParse("secrets:read:production/search/*"), MaxUses: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := attackGet(a.v.Session(narrow, netip.Addr{}), attackPath); err != nil {
		t.Fatal(err)
	}
	if err := a.op.Revoke(ctx, claims[0].ID, ""); err != nil { // its row stays for 30 days
		t.Fatal(err)
	}
	a.clock.add(48 * time.Hour)
	lives := a.issue(vault.Grant{TTL: time.Hour})
	for _, when := range []string{"before", "after"} {
		states, err := a.op.Tokens(ctx)
		if claims, _ := lives.Claims(ctx); err != nil || len(states) != 1 || states[0].Link.ID != claims[0].ID {
			t.Errorf("%s the archive: %v, %v", when, states, err)
		}
		if when == "before" {
			a.archiveDays(1)
		}
	}
}
