// SPDX-License-Identifier: Apache-2.0

package anchor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/anchor"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// files are the bytes of a store's files by suffix: "" the store's own.
type files map[string][]byte

var suffixes = []string{"", "-wal", "-head"}

func readFiles(t *testing.T, path string) files {
	t.Helper()
	all := files{}
	for _, suffix := range suffixes {
		b, err := os.ReadFile(path + suffix)
		if err == nil {
			all[suffix] = b
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return all
}

// put writes them into a new folder.
func (f files) put(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "anchors")
	for suffix, b := range f {
		if err := os.WriteFile(path+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// rowsOf is everything that a store holds.
func rowsOf(t *testing.T, s vault.Store) string {
	t.Helper()
	rows, err := s.Rows(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v", rows)
}

// life is what each of some advances left, of two names in one store: at[i] are the files with i lines, and the heads of both.
type life struct {
	at    []files
	heads [][2]audit.Head
	open  []files // the same, copied while the store was open
}

var names = [2]string{origin, "staging"}

func newLife(t *testing.T, open opener) (l life) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "anchors")
	var now [2]audit.Head
	for line, name := range []int{-1, 0, 0, 1, 0, 1} {
		s := open.at(t, path)
		if name >= 0 {
			to := head(int64(10-line), byte(line)) // the sizes go back, as in a restore
			advance(t, anchor.In(s, names[name]), now[name], to, nil)
			now[name] = to
		}
		l.open = append(l.open, readFiles(t, path))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		l.at, l.heads = append(l.at, readFiles(t, path)), append(l.heads, now)
	}
	return l
}

// opens checks what both anchors in a store of these files answer. heads is what it holds if want is nil; else nothing changes.
func (open opener) opens(t *testing.T, name string, f files, heads [2]audit.Head, want error) {
	t.Helper()
	path := f.put(t)
	s, err := open(t.Context(), path)
	if err != nil {
		if want == nil || !errors.Is(err, want) {
			t.Errorf("%s: Open answers %v, want %v", name, err, want)
		}
		return
	}
	before, bytesBefore := rowsOf(t, s), readFiles(t, path)
	for i := range names {
		a := anchor.In(s, names[i])
		if h, err := a.Load(t.Context()); !errors.Is(err, want) || want == nil && h != heads[i] || want != nil && h != (audit.Head{}) {
			t.Errorf("%s: %s is at %d, %v; want %d, %v", name, names[i], h.Size, err, heads[i].Size, want)
		}
		if got := rowsOf(t, s); got != before {
			t.Errorf("%s: Load has made %s of %s", name, got, before)
		}
	}
	for i := range names {
		for _, from := range []audit.Head{heads[i], {}} {
			err := anchor.In(s, names[i]).Advance(t.Context(), from, head(20, 9))
			if want := want; !errors.Is(err, want) && !(want == nil && from != heads[i] && errors.Is(err, vault.ErrConflict)) {
				t.Errorf("%s: %s goes on from %d: %v, want %v", name, names[i], from.Size, err, want)
			}
			if want == nil {
				break
			}
		}
		if want == nil {
			load(t, anchor.In(s, names[i]), head(20, 9))
		}
	}
	if want != nil {
		if got := rowsOf(t, s); got != before {
			t.Errorf("%s: Advance has made %s of %s", name, got, before)
		}
		if after := readFiles(t, path); !bytes.Equal(after["-head"], bytesBefore["-head"]) || !bytes.Equal(after[""], bytesBefore[""]) {
			t.Errorf("%s: the files were changed", name)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestMark: what a store and a head file say that do not belong to one moment.
func TestMark(t *testing.T) {
	for kind, open := range inFiles(t) {
		l := newLife(t, open)
		for line := range l.at {
			for mark := range l.at {
				var want error // a crash came between a commit and its mark, or a power cut took the mark
				if mark > line || mark == 0 && line > 1 {
					want = vault.ErrRollback
				}
				f := files{"": l.at[line][""], "-head": l.at[mark]["-head"]}
				open.opens(t, fmt.Sprintf("%s: a store of %d lines, a head file of %d", kind, line, mark), f, l.heads[line], want)
			}
		}
	}
}

// A journal drops a last line that is torn or has rotted. The anchor does not.
func TestMarkLastLine(t *testing.T) {
	open := inFiles(t)["file"]
	l := newLife(t, open)
	last := len(l.at) - 1
	whole, head := l.at[last][""], l.at[last]["-head"]
	begin := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for at := begin; at < len(whole); at += 7 {
		rotten := bytes.Clone(whole)
		rotten[at] ^= 1
		open.opens(t, fmt.Sprint("cut at ", at-begin), files{"": whole[:at], "-head": head}, l.heads[last-1], vault.ErrRollback)
		open.opens(t, fmt.Sprint("rotten at ", at-begin), files{"": rotten, "-head": head}, l.heads[last-1], vault.ErrRollback)
	}
	open.opens(t, "one line, cut", files{"": l.at[1][""][:len(l.at[1][""])-1], "-head": l.at[1]["-head"]}, l.heads[0], vault.ErrRollback)
	open.opens(t, "cut before its mark was written", files{"": whole[:len(whole)-1], "-head": l.at[last-1]["-head"]}, l.heads[last-1], nil)
}

// What was committed last lies in the log of SQLite.
func TestMarkWithoutWAL(t *testing.T) {
	open := inFiles(t)["sqlite"]
	l := newLife(t, open)
	for line, f := range l.open {
		if line == 0 {
			continue
		}
		if len(f["-wal"]) == 0 {
			t.Fatal("there is no -wal")
		}
		open.opens(t, fmt.Sprintf("all files, %d lines", line), f, l.heads[line], nil)
		delete(f, "-wal")
		open.opens(t, fmt.Sprintf("without -wal, %d lines", line), f, l.heads[line-1], vault.ErrRollback)
	}
}

// A store whose head file is lost may be an older one that was put here; one that is lost itself is no new place, in which
// every history would fit.
func TestMarkLost(t *testing.T) {
	for kind, open := range inFiles(t) {
		l := newLife(t, open)
		last := len(l.at) - 1
		f := l.at[last]
		open.opens(t, kind+": no head file", files{"": f[""]}, l.heads[last], vault.ErrRollback)
		open.opens(t, kind+": a head file of zeros", files{"": f[""], "-head": make([]byte, 1024)}, l.heads[last], vault.ErrTampered)
		open.opens(t, kind+": no store", files{"-head": f["-head"]}, l.heads[0], vault.ErrRollback)
		open.opens(t, kind+": no store, of one line", files{"-head": l.at[1]["-head"]}, l.heads[0], vault.ErrRollback)
	}
}

// A store of the same length is not enough.
func TestMarkOfAnother(t *testing.T) {
	for kind, open := range inFiles(t) {
		l := newLife(t, open)
		path := l.at[1].put(t)
		s := open.at(t, path)
		advance(t, anchor.In(s, names[0]), l.heads[1][0], head(8, 7), nil) // and not what line 1 says in l
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		fork := readFiles(t, path)
		open.opens(t, kind+": the fork's head file", files{"": l.at[2][""], "-head": fork["-head"]}, l.heads[2], vault.ErrRollback)
		open.opens(t, kind+": the fork's store", files{"": fork[""], "-head": l.at[2]["-head"]}, l.heads[2], vault.ErrRollback)
		open.opens(t, kind+": a store without that name", files{"": fork[""], "-head": l.at[3]["-head"]}, l.heads[2], vault.ErrRollback)
	}
}

// marked is a store in memory with a head file.
type marked struct {
	*memory.Store
	lock   sync.Mutex
	mark   []byte
	fails  int         // so many marks are not written
	onMark func() bool // called by Mark before it answers; false makes it answer none
}

func (s *marked) Mark(context.Context) ([]byte, error) {
	if f := s.onMark; f != nil {
		s.onMark = nil
		if !f() {
			return nil, nil
		}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return bytes.Clone(s.mark), nil
}

func (s *marked) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	var mark []byte
	err := s.Store.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
		b, err := fn(rows)
		mark = bytes.Clone(b.Mark)
		return b, err
	})
	s.lock.Lock()
	defer s.lock.Unlock()
	switch {
	case err != nil || mark == nil:
		return err
	case s.fails > 0:
		s.fails--
		return errMark
	}
	s.mark = mark
	return nil
}

var errMark = errors.New("committed, but not noted in the head file")

func TestMarkFormat(t *testing.T) {
	s := &marked{Store: memory.New()}
	advance(t, anchor.In(s, "a"), audit.Head{}, head(7, 1), nil)
	advance(t, anchor.In(s, "b"), audit.Head{}, head(9, 1), nil)
	const text = `{"anchor":"b","size":9,"root":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="}`
	if string(s.mark) != "1 "+text {
		t.Errorf("the mark is %s", s.mark)
	}
	for mark, want := range map[string]error{
		"1 " + text: nil,
		"0 " + text: nil, // a later line wrote the row
		"2 " + text: vault.ErrRollback,
		"1 " + strings.Replace(text, "9", "8", 1):                        vault.ErrRollback,
		"1 " + strings.Replace(text, `"b"`, `"c"`, 1):                    vault.ErrRollback,
		"0 " + strings.Replace(text, `"b"`, `"a"`, 1):                    vault.ErrRollback, // line 0 says another size
		"0 " + strings.NewReplacer(`"b"`, `"a"`, "9", "7").Replace(text): nil,
		"1 " + strings.NewReplacer(`"b"`, `"a"`, "9", "7").Replace(text): vault.ErrRollback,
		"9223372036854775807 " + text:                                    vault.ErrRollback,
		"9223372036854775808 " + text:                                    vault.ErrTampered,
		"-1 " + text:                                                     vault.ErrTampered,
		"+1 " + text:                                                     vault.ErrTampered,
		"01 " + text:                                                     vault.ErrTampered,
		" 1 " + text:                                                     vault.ErrTampered,
		"1  " + text:                                                     vault.ErrTampered,
		"1 " + text + " ":                                                vault.ErrTampered,
		"1" + text:                                                       vault.ErrTampered,
		"1":                                                              vault.ErrTampered,
		"1 ":                                                             vault.ErrTampered,
		" ":                                                              vault.ErrTampered,
		text:                                                             vault.ErrTampered,
		"1 {}":                                                           vault.ErrTampered,
		"1 null":                                                         vault.ErrTampered,
		"1 " + strings.Replace(text, "9", "0", 1):                            vault.ErrTampered,
		"1 " + strings.Replace(text, `{"anchor":"b",`, `{"anchor":"b", `, 1): vault.ErrTampered,
		"1 " + strings.Replace(text, "AE=", "AF=", 1):                        vault.ErrTampered,
		strings.Repeat("\x00", 400):                                          vault.ErrTampered,
		"":                                                                   vault.ErrRollback, // of two lines
	} {
		s.mark = []byte(mark)
		before := rowsOf(t, s)
		if h, err := anchor.In(s, "a").Load(t.Context()); !errors.Is(err, want) || (h == head(7, 1)) != (want == nil) {
			t.Errorf("%q: Load answers %d, %v; want %v", mark, h.Size, err, want)
		}
		if want != nil {
			advance(t, anchor.In(s, "a"), head(7, 1), head(8, 1), want)
			advance(t, anchor.In(s, "a"), head(6, 1), head(8, 1), want) // before it says where it is
			if rowsOf(t, s) != before || string(s.mark) != mark {
				t.Errorf("%q: something changed", mark)
			}
		}
	}
}

// However often the power fails between a commit and its mark, no line follows the first one before that has its mark.
func TestMarkNeverWritten(t *testing.T) {
	s := &marked{Store: memory.New(), fails: 5}
	a, b := anchor.In(s, "a"), anchor.In(s, "b")
	for range s.fails {
		if err := a.Advance(t.Context(), audit.Head{}, head(3, 1)); !errors.Is(err, errMark) && !errors.Is(err, vault.ErrConflict) {
			t.Error(err)
		}
		if err := b.Advance(t.Context(), audit.Head{}, head(4, 1)); !errors.Is(err, errMark) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		load(t, a, head(3, 1))
		load(t, b, audit.Head{})
	}
	if s.fails != 0 || s.mark == nil {
		t.Errorf("%d marks are still to fail, the mark is %q", s.fails, s.mark)
	}
	load(t, a, head(3, 1))
	load(t, b, head(4, 1))

	s.fails = 1
	if err := a.Advance(t.Context(), head(3, 1), head(5, 1)); !errors.Is(err, errMark) {
		t.Error(err)
	}
	load(t, a, head(5, 1))
	advance(t, a, head(5, 1), head(6, 1), nil)
	load(t, a, head(6, 1))
}

// Another process begins the store between the look at the mark and the look at the rows: it is not a lost head file.
func TestMarkBegunMeanwhile(t *testing.T) {
	for lines := range int64(4) {
		for name, do := range map[string]func(a *anchor.Anchor, at audit.Head){
			"load":    func(a *anchor.Anchor, at audit.Head) { load(t, a, at) },
			"advance": func(a *anchor.Anchor, at audit.Head) { advance(t, a, at, head(9, 1), nil) },
			"too late": func(a *anchor.Anchor, at audit.Head) {
				advance(t, a, head(8, 8), head(9, 1), vault.ErrConflict)
				load(t, a, at)
			},
		} {
			s, at := &marked{Store: memory.New()}, audit.Head{}
			a := anchor.In(s, "a")
			if lines > 0 {
				at = head(lines, 1)
			}
			s.onMark = func() bool {
				now := audit.Head{}
				for i := range lines {
					advance(t, a, now, head(i+1, 1), nil)
					now = head(i+1, 1)
				}
				return false
			}
			do(a, at)
			if t.Failed() {
				t.Fatalf("%s, begun with %d lines", name, lines)
			}
		}
	}
}

// More names than a page has.
func TestMarkManyNames(t *testing.T) {
	s := &marked{Store: memory.New()}
	nameOf := func(i int64) string {
		if i == 1000 {
			return "n0999/a" // right behind the last one of the first page
		}
		return fmt.Sprintf("n%04d", i)
	}
	err := s.Update(t.Context(), 0, func([]vault.Row) (b vault.Batch, _ error) {
		for i := range int64(2000) {
			text := fmt.Appendf(nil, `{"anchor":"%s","size":7,"root":"PBU0I1wkNQirkjWJ9/wMGQrzVKsf6jugBvIZjjfQyzw="}`, nameOf(i))
			b.Lines = append(b.Lines, text)
			b.Rows = append(b.Rows, vault.Row{Key: "anchor:" + nameOf(i), Seq: i, Data: bytes.Clone(text)})
			b.Mark = fmt.Appendf(nil, "%d %s", i, text)
		}
		return b, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{nameOf(0), nameOf(999), nameOf(1000), nameOf(1001), nameOf(1999)} {
		a := anchor.In(s, name)
		h, err := a.Load(t.Context())
		if err != nil || h.Size != 7 {
			t.Errorf("%s is at %d, %v", name, h.Size, err)
		}
		advance(t, a, h, head(8, 1), nil)
		load(t, a, head(8, 1))
	}
	load(t, anchor.In(s, "n2000"), audit.Head{})
}
