// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// TestArchiveTamper changes a store whose log was archived: the row that says where it begins, and each line that is left.
func TestArchiveTamper(t *testing.T) {
	ctx := context.Background()
	a := aged(t, 2)
	old := dumpOf(t, a.store)
	_, at := a.archiveDays(1)
	first := a.first()
	good := dumpOf(t, a.store)
	lines, err := a.store.Lines(ctx, first, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	text, err := exportOf(a.v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.VerifyFrom(at, strings.NewReader(text), a.v.Log().Key()); err != nil {
		t.Fatal("the control:", err)
	}

	// open is a vault on rows and lines of which those below first are gone.
	open := func(rows []vault.Row, lines [][]byte) (*vault.Vault, error) {
		d := dump{rows, append(append([][]byte{}, old.lines[:1]...), make([][]byte, first-1)...)}
		for i := range d.lines {
			d.lines[i] = []byte("x")
		}
		d.lines = append(d.lines, lines...)
		s := d.store(t)
		err := s.Update(ctx, int64(len(d.lines)), func([]vault.Row) (vault.Batch, error) {
			return vault.Batch{First: int64(len(d.lines)), Rows: []vault.Row{{Key: "head", Seq: int64(len(d.lines)) - 1, Data: d.row("head").Data}}, Keep: first}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return vault.Open(ctx, vault.Config{Store: s, Root: attackRoot(1), Now: a.clock.now})
	}
	found := func(name string, rows []vault.Row, lines [][]byte) {
		t.Helper()
		v, err := open(rows, lines)
		if errors.Is(err, vault.ErrTampered) {
			return
		}
		if err != nil {
			t.Errorf("%s: open: %v", name, err)
			return
		}
		defer func() { _ = v.Close() }()
		verify, records, _ := logFinds(v, v.Log().Key())
		text, err := exportOf(v)
		if err == nil {
			_, err = audit.VerifyFrom(at, strings.NewReader(text), a.v.Log().Key())
		}
		if !verify || !records || err == nil {
			t.Errorf("%s: found by Verify %v, by Records %v, by an export: %v", name, verify, records, err)
		}
		var w bytes.Buffer
		if err := v.Operator("admin").Archive(ctx, a.clock.now().Add(-time.Minute), &w, ""); err == nil {
			t.Errorf("%s: it was archived", name)
		}
	}
	v, err := open(good.rows, lines)
	if err != nil {
		t.Fatal("the control:", err)
	}
	if err := errors.Join(v.Log().Verify(ctx), v.Close()); err != nil {
		t.Fatal("the control:", err)
	}

	cut := good.index("cut")
	for name, data := range map[string]string{
		"gone": "", "not JSON": "x", "of nothing": `{}`, "null": "null", "empty": `{"edge":"AAAAAAAAAAA"}`,
		"a hash changed": strings.Replace(string(good.rows[cut].Data), string(good.rows[cut].Data[40:44]), "AAAA", 1),
		"no newer":       `{"edge":"AAAAAAAAAAE8FTQjXCQ1CKuSNYn3/AwZCvNUqx/qO6AG8hmON9DLPA"}`,
	} {
		d := good.clone()
		if d.rows[cut].Data = []byte(data); data == "" {
			d.rows = append(d.rows[:cut], d.rows[cut+1:]...)
		}
		found("the cut row: "+name, d.rows, lines)
	}
	for i := range lines {
		changed := append([][]byte(nil), lines...)
		changed[i] = bytes.Replace(lines[i], []byte(`"admin"`), []byte(`"nobod"`), 1)
		found("a line changed", good.rows, changed)
	}
	found("the first line that is left dropped", good.rows, append([][]byte{lines[1]}, lines[1:]...))
}

// TestArchiveOfChangedLines: a line that is changed between the two readings is neither signed for nor dropped.
func TestArchiveOfChangedLines(t *testing.T) {
	a := aged(t, 3)
	liar := &lying{Store: unclosed{a.store}}
	v, err := vault.Open(context.Background(), vault.Config{Store: liar, Root: attackRoot(1), Now: a.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	for _, from := range []int{1, 2} {
		first := a.first()
		liar.from(from)
		err := v.Operator("admin").Archive(context.Background(), a.clock.now().AddDate(0, 0, -1), io.Discard, "")
		liar.from(0)
		if !errors.Is(err, vault.ErrTampered) || a.first() != first {
			t.Errorf("a lie at reading %d: %v", from, err)
		}
	}
	if err := v.Operator("admin").Archive(context.Background(), a.clock.now().AddDate(0, 0, -1), io.Discard, ""); err != nil {
		t.Error("without a lie:", err)
	}
}

// lying is a store that changes a record, from the after-th time on that its line is read. A page may be read ahead of a call
// that has ended already.
type lying struct {
	vault.Store
	mu    sync.Mutex
	after int
}

func (s *lying) from(after int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = after
}

func (s *lying) Lines(ctx context.Context, from int64, n int) ([][]byte, error) {
	lines, err := s.Store.Lines(ctx, from, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.after > 0 && from <= 5 && from+int64(len(lines)) > 5 {
		if s.after--; s.after == 0 {
			lines[5-from] = bytes.Replace(lines[5-from], []byte(`"admin"`), []byte(`"nobod"`), 1)
			s.after = 1
		}
	}
	return lines, err
}

// TestFollowAndArchive: a follower at the end goes on over an archive.
func TestFollowAndArchive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := aged(t, 3)
		for _, v := range []*vault.Vault{a.v, a.open(vault.Config{})} {
			f := follow(v, a.next()-1)
			a.clock.add(time.Hour)
			a.archiveDays(1)
			if err := attackGet(a.op, attackPath); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // the bubble's
			if err := f.stop(); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if f.next != a.next() {
				t.Errorf("followed to %d of %d", f.next, a.next())
			}
			a.clock.add(time.Hour)
		}
	})
}

// TestFollowBehindArchive: a follower that is behind an archive learns that it has missed records, whether it waits for
// more or has not come to the end yet.
func TestFollowBehindArchive(t *testing.T) {
	for name, late := range map[string]int{"waiting at the end": 0, "in the middle": 3500} {
		for where, open := range map[string]func(*attacked) *vault.Vault{
			"in this process": func(a *attacked) *vault.Vault { return a.v },
			"in another":      func(a *attacked) *vault.Vault { return a.open(vault.Config{}) },
		} {
			synctest.Test(t, func(t *testing.T) {
				a := aged(t, 3)
				v := open(a)
				gets := func(n int) {
					for range n {
						if err := attackGet(a.op, attackPath); err != nil {
							t.Fatal(err)
						}
					}
				}
				archive := func() {
					gets(3)
					a.clock.add(48 * time.Hour)
					gets(1)
					a.archiveDays(1)
				}
				var err error
				if late == 0 {
					f := follow(v, a.next()-1)
					archive()
					time.Sleep(time.Second)
					synctest.Wait()
					err = f.stop()
				} else {
					gets(late)
					n := 0
					for _, err = range v.Log().Follow(t.Context(), audit.Filter{}) {
						if n++; n == 1 {
							archive()
						}
						if err != nil || n > late {
							break
						}
					}
				}
				if !errors.Is(err, vault.ErrNotFound) || errors.Is(err, vault.ErrTampered) {
					t.Errorf("%s, %s: %v", name, where, err)
				}
			})
		}
	}
}

// follower follows a log in a goroutine of a bubble.
type follower struct {
	next int64 // what is to come
	stop func() error
}

// follow returns when the follower waits for more.
func follow(v *vault.Vault, since int64) *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f, done := &follower{next: since}, make(chan error, 1)
	go func() {
		for r, err := range v.Log().Follow(ctx, audit.Filter{Since: since}) {
			if err == nil && r.Seq != f.next {
				err = fmt.Errorf("record %d where %d is next", r.Seq, f.next)
			}
			if err != nil {
				done <- err
				return
			}
			f.next++
		}
	}()
	synctest.Wait()
	f.stop = func() error { cancel(); return <-done }
	return f
}
