// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/vault"
)

// mustNotRestore fails the test if a backup restores, or leaves a vault that opens.
func mustNotRestore(t testing.TB, name string, root vault.RootKey, backup []byte, want error) {
	t.Helper()
	store := memory.New()
	v, err := restoreInto(unclosed{store}, root, backup)
	if err == nil {
		_ = v.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("%s: restored with %v, want %v", name, err, want)
	}
	noVault(t, name, store, root)
}

// noVault fails the test if a store holds anything that opens. An empty one would open as a new vault.
func noVault(t testing.TB, name string, store vault.Store, root vault.RootKey) {
	t.Helper()
	if len(dumpOf(t, store).rows) == 0 {
		return
	}
	v, err := vault.Open(context.Background(), vault.Config{Store: unclosed{store}, Root: root})
	if err == nil {
		_ = v.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "an unfinished restore: empty the store and restore again") {
		t.Errorf("%s: the store opens with %v", name, err)
	}
}

// smallBackup is a backup with a row of each kind.
func smallBackup(t testing.TB) (root vault.RootKey, text []byte) {
	t.Helper()
	d := newVictim(t, 1)
	v, err := vault.Open(context.Background(), vault.Config{Store: d.store(t), Root: d.root})
	must(t, err)
	defer v.Close()
	return d.root, backupOf(t, v)
}

// TestRestoreCut: a backup that ends early, at whatever byte, does not restore.
func TestRestoreCut(t *testing.T) {
	root, text := smallBackup(t)
	for n := 0; n < len(text); n += step(7) {
		mustNotRestore(t, fmt.Sprint("cut at ", n), root, text[:n], vault.ErrTampered)
	}
	for at, line := range bytes.SplitAfter(text, []byte("\n")) { // and at each line
		i := bytes.Index(text, line)
		if len(line) > 0 {
			mustNotRestore(t, fmt.Sprint("cut before line ", at), root, text[:i], vault.ErrTampered)
			mustNotRestore(t, fmt.Sprint("without line ", at), root, slices.Delete(bytes.Clone(text), i, i+len(line)), vault.ErrTampered)
			mustNotRestore(t, fmt.Sprint("twice line ", at), root, slices.Insert(bytes.Clone(text), i, line...), vault.ErrTampered)
		}
	}
	restored(t, root, text)
}

// TestRestoreFlips: nor one of which a bit was changed.
func TestRestoreFlips(t *testing.T) {
	root, text := smallBackup(t)
	for i := 0; i < 8*len(text); i += step(7 * 11) {
		bad := bytes.Clone(text)
		bad[i/8] ^= 1 << (i % 8)
		mustNotRestore(t, fmt.Sprint("bit ", i), root, bad, vault.ErrTampered)
	}
}

var everyBit = flag.Bool("everybit", false, "cut and flip a backup at every byte and bit")

// step is 1 in the long form of a sweep.
func step(short int) int {
	if *everyBit {
		return 1
	}
	return short
}

// parts is a backup taken apart, so that a test changes it as one would who knows the format.
type parts struct {
	header, end []byte
	body        []vault.Batch
}

func takeApart(t testing.TB, text []byte) (p parts) {
	t.Helper()
	var sum journal.Sum
	for i, line := range slices.Collect(bytes.Lines(text)) {
		body, next, ok := sum.Open(line)
		var c journal.Commit
		switch {
		case !ok:
			t.Fatalf("line %d does not open", i)
		case i == 0:
			p.header = body
		case bytes.HasPrefix(body, []byte(`{"end"`)):
			p.end = body
		default:
			must(t, c.Parse(body))
			var b vault.Batch
			for _, r := range c.Rows {
				data, err := r.Data.Bytes()
				must(t, err)
				b.Rows = append(b.Rows, vault.Row{Key: r.Key, Seq: r.Seq, Data: data})
			}
			for _, l := range c.Lines {
				data, err := l.Bytes()
				must(t, err)
				b.Lines = append(b.Lines, data)
			}
			p.body = append(p.body, b)
		}
		sum = next
	}
	return p
}

// text puts it together again, with right checksums.
func (p parts) text() (text []byte) {
	var sum journal.Sum
	add := func(body []byte) {
		var line []byte
		line, sum = sum.Seal(bytes.Clone(body))
		text = append(text, line...)
	}
	add(p.header)
	for _, b := range p.body {
		var c journal.Commit
		for _, r := range b.Rows {
			row := journal.Row{Key: r.Key, Seq: r.Seq}
			if r.Data != nil {
				row.Data = journal.NewDatum(r.Data)
			}
			c.Rows = append(c.Rows, row)
		}
		for _, l := range b.Lines {
			c.Lines = append(c.Lines, journal.NewDatum(l))
		}
		add(c.AppendTo(nil))
	}
	add(p.end)
	return text
}

// row is the last of a key.
func (p parts) row(key string) (at *vault.Row) {
	for i := range p.body {
		for j := range p.body[i].Rows {
			if r := &p.body[i].Rows[j]; strings.HasPrefix(r.Key, key) {
				at = r
			}
		}
	}
	return at
}

func (p parts) drop(key string) {
	for i := range p.body {
		p.body[i].Rows = slices.DeleteFunc(p.body[i].Rows, func(r vault.Row) bool { return strings.HasPrefix(r.Key, key) })
	}
}

func (p parts) lines() *vault.Batch {
	for i := range p.body {
		if len(p.body[i].Lines) > 2 {
			return &p.body[i]
		}
	}
	return nil
}

func (p parts) add(r vault.Row) {
	last := &p.body[len(p.body)-1]
	last.Rows = append(last.Rows, r)
}

// TestRestoreTampered: who changes a backup and puts right checksums on it does not get it restored.
func TestRestoreTampered(t *testing.T) {
	ctx := context.Background()
	d := newVictim(t, 2)
	v, err := vault.Open(ctx, vault.Config{Store: d.store(t), Root: d.root})
	must(t, err)
	defer v.Close()
	old := takeApart(t, backupOf(t, v))
	op := v.Operator("keeper")
	s := mustIssue(t, op, reader(2))
	wantValue(t, s, d.secrets[0], d.value(d.secrets[0], 2), 2)
	earlier := takeApart(t, backupOf(t, v))
	must(t, op.Revoke(ctx, linkOf(t, s), ""))
	must(t, op.SetPolicy(ctx, d.secrets[0], vault.Policy{Tier: vault.Critical}, ""))
	text := backupOf(t, v)
	other := takeApart(t, backupOf(t, func() *vault.Vault { v, _ := newBed(t).open(); return v }()))

	if again := takeApart(t, text).text(); !bytes.Equal(again, text) {
		t.Fatalf("it is not put together as it was:\n%s\n%s", text, again)
	}
	restored(t, d.root, text)
	id := linkOf(t, s)
	for name, change := range map[string]func(p parts) parts{
		"no token row":           func(p parts) parts { p.drop("t:" + id); return p },
		"the token row before":   func(p parts) parts { *p.row("t:" + id) = *earlier.row("t:" + id); return p },
		"the token row in front": func(p parts) parts { p.add(*earlier.row("t:" + id)); return p },
		"the policy before":      func(p parts) parts { *p.row("s:" + d.secrets[0]) = *old.row("s:" + d.secrets[0]); return p },
		"no freeze":              func(p parts) parts { p.drop("f:"); return p },
		"a freeze more": func(p parts) parts {
			p.add(vault.Row{Key: "f:user:x", Seq: 1, Data: []byte(`{"since":"2026-06-01T12:00:00Z"}`)})
			return p
		},
		"no key": func(p parts) parts { p.drop("k:"); return p },
		"a key alive again": func(p parts) parts {
			r := p.row("k:")
			r.Data = bytes.Replace(r.Data, []byte(`,"revoked":true`), nil, 1)
			return p
		},
		"another line number":     func(p parts) parts { p.row("s:").Seq--; return p },
		"a line number to come":   func(p parts) parts { p.row("s:").Seq = 1 << 40; return p },
		"no value":                func(p parts) parts { p.drop("x:" + d.secrets[0]); return p },
		"another value":           func(p parts) parts { p.row("x:" + d.secrets[0]).Data = p.row("x:" + d.secrets[1]).Data; return p },
		"a value too long":        func(p parts) parts { p.row("x:").Data = make([]byte, 1<<20+65); return p },
		"no head":                 func(p parts) parts { p.drop("head"); return p },
		"the head before":         func(p parts) parts { *p.row("head") = *earlier.row("head"); return p },
		"the head of another":     func(p parts) parts { *p.row("head") = *other.row("head"); return p },
		"a head that is none":     func(p parts) parts { p.row("head").Data = []byte(`{}`); return p },
		"no keyring":              func(p parts) parts { p.drop("keyring"); return p },
		"a keyring in the middle": func(p parts) parts { p.add(*p.row("keyring")); return p },
		"the keyring of another":  func(p parts) parts { *p.row("keyring") = *other.row("keyring"); return p },
		"the vault of another":    func(p parts) parts { p.header = other.header; return p },
		"the mark of another": func(p parts) parts {
			p.header = append(bytes.Clone(p.header[:63]), other.header[63:]...)
			return p
		},
		"a cut": func(p parts) parts {
			p.body[0].Rows = append(p.body[0].Rows, vault.Row{Key: "cut", Seq: 1, Data: []byte(`{"edge":"AAAAAAAAAAA"}`)})
			return p
		},
		"a mark of a restore":   func(p parts) parts { p.add(vault.Row{Key: "restore", Seq: 1, Data: []byte(`{}`)}); return p },
		"an unknown row":        func(p parts) parts { p.add(vault.Row{Key: "y:a", Seq: 1, Data: []byte(`{}`)}); return p },
		"a row that is removed": func(p parts) parts { p.add(vault.Row{Key: "s:" + d.secrets[0]}); return p },
		"a line changed": func(p parts) parts {
			b := p.lines()
			b.Lines[1] = bytes.Replace(b.Lines[1], []byte("first"), []byte("other"), 1)
			return p
		},
		"a line dropped":          func(p parts) parts { b := p.lines(); b.Lines = slices.Delete(b.Lines, 1, 2); return p },
		"a line more":             func(p parts) parts { b := p.lines(); b.Lines = append(b.Lines, b.Lines[0]); return p },
		"lines in another order":  func(p parts) parts { b := p.lines(); b.Lines[0], b.Lines[1] = b.Lines[1], b.Lines[0]; return p },
		"the log before":          func(p parts) parts { p.lines().Lines = earlier.lines().Lines; return p },
		"an end too early":        func(p parts) parts { p.end = []byte(`{"end":2}`); return p },
		"a header that says more": func(p parts) parts { p.header = bytes.Replace(p.header, []byte(`}`), []byte(`,"x":1}`), 1); return p },
		"no header":               func(p parts) parts { p.header = []byte(`{}`); return p },
	} {
		t.Run(name, func(t *testing.T) {
			mustNotRestore(t, name, d.root, change(takeApart(t, text)).text(), vault.ErrTampered)
		})
	}
	mustNotRestore(t, "a newer format", d.root, func() []byte {
		p := takeApart(t, text)
		p.header = bytes.Replace(p.header, []byte(`"backup":1`), []byte(`"backup":2`), 1)
		return p.text()
	}(), vault.ErrInvalid)
	mustNotRestore(t, "something behind the end", d.root, append(bytes.Clone(text), "x"...), vault.ErrTampered)
	mustNotRestore(t, "two backups", d.root, append(bytes.Clone(text), text...), vault.ErrTampered)
}

// TestRestoreWrongRoot: with another root nothing is written, so the right one can be tried at once.
func TestRestoreWrongRoot(t *testing.T) {
	root, text := smallBackup(t)
	store := memory.New()
	if _, err := restoreInto(unclosed{store}, seededRoot(t, 2), text); !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("restored with %v", err)
	}
	if d := dumpOf(t, store); len(d.rows)+len(d.lines) > 0 {
		t.Errorf("%d rows and %d lines were written", len(d.rows), len(d.lines))
	}
	v, err := restoreInto(store, root, text)
	must(t, err)
	must(t, v.Close())
}

func TestRestoreNotEmpty(t *testing.T) {
	root, text := smallBackup(t)
	b := newBed(t)
	v, _ := b.open()
	mustPut(t, v.Operator("keeper"), bedPath, "one")
	before := dumpOf(t, b.store)
	if _, err := restoreInto(unclosed{b.store}, root, text); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("restored over a vault with %v", err)
	}
	if !dumpOf(t, b.store).equal(before) {
		t.Error("the vault was changed")
	}
	for name, cfg := range map[string]vault.Config{"no root": {Store: memory.New()}, "no store": {Root: root}} {
		if _, err := vault.Restore(context.Background(), cfg, bytes.NewReader(text), ""); !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := vault.Restore(context.Background(), vault.Config{Store: memory.New(), Root: root}, bytes.NewReader(text), strings.Repeat("x", 2000)); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("a reason too long: %v", err)
	}
}

// TestRestoreReader: a reader that fails or dribbles.
func TestRestoreReader(t *testing.T) {
	root, text := smallBackup(t)
	cfg := func() vault.Config { return vault.Config{Store: memory.New(), Root: root} }
	tape := errors.New("the tape is torn")
	for n := 0; n < len(text); n += len(text)/10 + 1 {
		r := io.MultiReader(bytes.NewReader(text[:n]), iotest.ErrReader(tape))
		if _, err := vault.Restore(context.Background(), cfg(), r, ""); !errors.Is(err, tape) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	if _, err := vault.Restore(context.Background(), cfg(), io.MultiReader(bytes.NewReader(text), iotest.ErrReader(tape)), ""); !errors.Is(err, tape) {
		t.Errorf("behind the end: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := vault.Restore(ctx, cfg(), bytes.NewReader(text), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	v, err := vault.Restore(context.Background(), cfg(), iotest.OneByteReader(bytes.NewReader(text)), "")
	must(t, err)
	must(t, v.Close())
}

// TestRestoreCrash: whichever Update is the last before a crash, the store then holds no vault, or all of it.
func TestRestoreCrash(t *testing.T) {
	d := newVictim(t, 3)
	v, err := vault.Open(context.Background(), vault.Config{Store: d.store(t), Root: d.root})
	must(t, err)
	defer v.Close()
	for i := range 8 {
		mustPut(t, v.Operator("keeper"), fmt.Sprint("production/large/", i), strings.Repeat("x", 400<<10))
	}
	text := backupOf(t, v)
	for _, f := range storeFaults() {
		total := 1 << 20
		for k := 1; k <= total; k++ {
			store, n := memory.New(), 0
			p := &tap{Store: store}
			p.atUpdate(func(next func() error) error {
				if n++; n < k {
					return next()
				}
				if n == k {
					return f.update(next)
				}
				return errDevice // nothing comes behind a crash
			})
			w, err := restoreInto(p, d.root, text)
			name := fmt.Sprintf("%s at %d", f.name, k)
			if err == nil {
				total = k - 1
				must(t, w.Close())
				if total < 5 {
					t.Fatalf("only %d updates", total)
				}
				break
			}
			if len(dumpOf(t, store).rows) > 0 && f.committed {
				w, err := vault.Open(context.Background(), vault.Config{Store: unclosed{store}, Root: d.root})
				if err == nil { // the last: all of it is there
					verifies(t, w)
					wantRefused(t, w.Session(d.counted, noAddr), d.secrets[0], vault.ErrDeadToken)
					wantRefused(t, w.Session(d.revoked, noAddr), d.secrets[0], vault.ErrDeadToken)
					if n := len(logOf(t, w, audit.Filter{Op: "restore"})); n != 1 {
						t.Errorf("%s: %d records of a restore", name, n)
					}
					must(t, w.Close())
					continue
				}
			}
			noVault(t, name, store, d.root)
			if len(dumpOf(t, store).rows) > 0 {
				if _, err := restoreInto(unclosed{store}, d.root, text); !errors.Is(err, vault.ErrConflict) || !strings.Contains(err.Error(), "unfinished restore") {
					t.Errorf("%s: a second Restore gave %v", name, err)
				}
			}
		}
	}
}

// TestRestoreInPlace: with no backup a store is accepted as it is, and every credential is dead, in other processes too.
func TestRestoreInPlace(t *testing.T) {
	ctx := context.Background()
	b := newBed(t)
	v, _ := b.open()
	l := newLife(t, v)
	before, err := v.Log().Checkpoint(ctx)
	must(t, err)
	backupOf(t, v)
	w, err := vault.Restore(ctx, vault.Config{Store: unclosed{b.store}, Root: b.root}, nil, "the disk is gone")
	must(t, err)
	defer w.Close()
	l.check(t, w, before)
	l.check(t, v, before)
	if states, err := v.Operator("keeper").Keys(ctx); err != nil || slices.ContainsFunc(states, func(k vault.Key) bool { return !k.Revoked }) {
		t.Errorf("a key is alive: %v, %v", states, err)
	}
	_, err = vault.Restore(ctx, vault.Config{Store: memory.New(), Root: b.root}, nil, "")
	if !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("an empty store is restored from nothing: %v", err)
	}
}

// anchorAt is an anchor in memory.
type anchorAt struct{ head atomic.Pointer[audit.Head] }

func (a *anchorAt) Load(context.Context) (audit.Head, error) {
	if h := a.head.Load(); h != nil {
		return *h, nil
	}
	return audit.Head{}, nil
}

func (a *anchorAt) Advance(ctx context.Context, from, to audit.Head) error {
	if now, _ := a.Load(ctx); now != from {
		return vault.ErrConflict
	}
	a.head.Store(&to)
	return nil
}

// TestRestoreAnchor: a backup, or a store put back, that is older than the anchor opens only through Restore, which moves the
// anchor on; the record names what it knew.
func TestRestoreAnchor(t *testing.T) {
	ctx := context.Background()
	anchor := &anchorAt{}
	b := newBed(t)
	v, _ := b.open(func(c *vault.Config) { c.Anchor = anchor })
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "one")
	text, old := backupOf(t, v), dumpOf(t, b.store)
	s := mustIssue(t, op, reader(0))
	must(t, op.Revoke(ctx, linkOf(t, s), ""))
	known, _ := anchor.Load(ctx)
	must(t, v.Close())
	for name, restore := range map[string]func() (vault.Store, io.Reader){
		"from a backup": func() (vault.Store, io.Reader) { return memory.New(), bytes.NewReader(text) },
		"in place":      func() (vault.Store, io.Reader) { return old.store(t), nil },
	} {
		t.Run(name, func(t *testing.T) {
			anchor := &anchorAt{}
			anchor.head.Store(&known)
			if _, err := vault.Open(ctx, vault.Config{Store: old.store(t), Root: b.root, Anchor: anchor}); !errors.Is(err, vault.ErrRollback) {
				t.Errorf("opened with %v", err)
			}
			store, from := restore()
			w, err := vault.Restore(ctx, vault.Config{Store: unclosed{store}, Root: b.root, Anchor: anchor}, from, "")
			must(t, err)
			wantRefused(t, at(w, s), bedPath, vault.ErrDeadToken)
			r := logOf(t, w, audit.Filter{Op: "restore"})
			if len(r) != 1 || !strings.Contains(r[0].Detail, fmt.Sprintf(`"anchor":{"size":%d,`, known.Size)) {
				t.Errorf("the record: %v", r)
			}
			must(t, w.Close())
			w, err = vault.Open(ctx, vault.Config{Store: store, Root: b.root, Anchor: anchor})
			must(t, err)
			wantValue(t, w.Operator("keeper"), bedPath, "one", 1)
			must(t, w.Close())
		})
	}
}

// TestRestoreArchived: of a log that was archived, a backup holds what is left, under the numbers that it had.
func TestRestoreArchived(t *testing.T) {
	ctx := context.Background()
	clock := &attackClock{}
	store := memory.New()
	root := seededRoot(t, 1)
	open := func(s vault.Store) vault.Config { return vault.Config{Store: unclosed{s}, Root: root, Now: clock.now} }
	v, err := vault.Open(ctx, open(store))
	must(t, err)
	defer v.Close()
	op := v.Operator("keeper")
	for n := range 1500 { // more lines than one part of a restore brings
		mustPut(t, op, bedPath, fmt.Sprint(n))
	}
	clock.add(time.Hour)
	before, err := v.Log().Checkpoint(ctx)
	must(t, err)
	mustPut(t, op, bedPath, "last")
	must(t, op.Archive(ctx, clock.now(), io.Discard, ""))
	text := backupOf(t, v)
	other := memory.New()
	w, err := vault.Restore(ctx, open(other), bytes.NewReader(text), "")
	must(t, err)
	must(t, w.Close())
	if w, err = vault.Open(ctx, open(other)); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	wantValue(t, w.Operator("keeper"), bedPath, "last", 1501)
	must(t, w.Log().Verify(ctx, before))
	lines, err := other.Lines(ctx, 1500, 10)
	must(t, err)
	if len(lines) > 0 {
		t.Errorf("a line below the cut is there: %s", lines[0])
	}
}

// downAnchor answers what it holds, and moves for nobody.
type downAnchor struct {
	anchorAt
	err error
}

func (a *downAnchor) Advance(context.Context, audit.Head, audit.Head) error { return a.err }

// TestRestoreAnchorDown: the anchor fails behind the commit. The vault is restored; the error says how to go on, and that works.
func TestRestoreAnchorDown(t *testing.T) {
	ctx := context.Background()
	root, text := smallBackup(t)
	for _, cause := range []error{errDevice, vault.ErrConflict} {
		store, a := memory.New(), &downAnchor{err: cause}
		a.head.Store(&audit.Head{Size: 1000})
		_, err := vault.Restore(ctx, vault.Config{Store: unclosed{store}, Root: root, Anchor: a}, bytes.NewReader(text), "")
		if err == nil || !strings.Contains(err.Error(), "the vault is restored, but its anchor is not moved: call Restore again, without a backup") {
			t.Errorf("%v: restored with %v", cause, err)
		}
		v, err := vault.Restore(ctx, vault.Config{Store: unclosed{store}, Root: root, Anchor: &a.anchorAt}, nil, "")
		must(t, err)
		must(t, v.Close())
		v, err = vault.Open(ctx, vault.Config{Store: store, Root: root, Anchor: &a.anchorAt})
		must(t, err)
		must(t, v.Close())
	}
}
