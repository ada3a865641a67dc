// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward-go/keyward/vault"
)

func newHead(t testing.TB) *HeadFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault-head")
	if err := CreateHead(path); err != nil {
		t.Fatal(err)
	}
	return openHead(t, path)
}

func openHead(t testing.TB, path string) *HeadFile {
	t.Helper()
	h, err := OpenHead(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func write(t testing.TB, h *HeadFile, mark string) {
	t.Helper()
	if err := errors.Join(h.Check(), h.Write([]byte(mark))); err != nil {
		t.Fatal(err)
	}
}

func wantMark(t testing.TB, h *HeadFile, want string) {
	t.Helper()
	if got, err := h.Mark(); err != nil || string(got) != want || (got == nil) != (want == "") {
		t.Errorf("the mark is %q, %v; want %q", got, err, want)
	}
}

// slotBytes is a slot as the package comment states it.
func slotBytes(counter uint64, length int, mark string) []byte {
	b := binary.BigEndian.AppendUint64(nil, counter)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, mark...)
	b = append(b, make([]byte, 480-len(b))...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func TestHeadFormat(t *testing.T) {
	h := newHead(t)
	long := strings.Repeat("m", 440)
	for i, want := range [][]byte{
		append(slotBytes(1, 0, ""), make([]byte, 512)...),
		append(slotBytes(1, 0, ""), slotBytes(2, 3, "one")...),
		append(slotBytes(3, 440, long), slotBytes(2, 3, "one")...),
		append(slotBytes(3, 440, long), slotBytes(4, 1, "x")...), // shorter: nothing of "one" is left
		append(slotBytes(5, 0, ""), slotBytes(4, 1, "x")...),
	} {
		if i > 0 {
			mark := []string{"one", long, "x", ""}[i-1]
			write(t, h, mark)
			wantMark(t, h, mark)
		}
		if got, err := os.ReadFile(h.path); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("after %d writes the file is\n%q, %v, want\n%q", i, got, err, want)
		}
	}
	if err := h.Write(make([]byte, 441)); !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("a mark of 441 bytes: %v", err)
	}
}

func TestHeadRefused(t *testing.T) {
	one, two := slotBytes(1, 0, ""), slotBytes(2, 3, "two")
	padded := bytes.Clone(one)
	padded[479] = 1
	sum := sha256.Sum256(padded[:480])
	copy(padded[480:], sum[:])
	unhashed := bytes.Clone(one)
	unhashed[511] ^= 1
	zeros := make([]byte, 512)
	for _, c := range []struct {
		name    string
		content []byte
		mark    string // "!" if refused
	}{
		{"both slots", joined(one, two), "two"},
		{"the other order", joined(two, one), "two"},
		{"far apart", joined(two, slotBytes(1<<40, 1, "x")), "x"},
		{"only the first", joined(two, zeros), "two"},
		{"only the second", joined(zeros, two), "two"},
		{"the newest torn", joined(two, append(slotBytes(3, 5, "three")[:300], one[300:]...)), "two"},
		{"empty", nil, "!"},
		{"one slot", two, "!"},
		{"a byte short", joined(one, two)[:1023], "!"},
		{"a byte long", append(joined(one, two), 0), "!"},
		{"three slots", joined(one, two, one), "!"},
		{"zeros", joined(zeros, zeros), "!"},
		{"equal counters", joined(two, slotBytes(2, 1, "x")), "!"},
		{"the same slot twice", joined(two, two), "!"},
		{"a hash wrong", joined(unhashed, zeros), "!"},
		{"no zeros behind the mark", joined(padded, zeros), "!"},
		{"too long a mark", joined(slotBytes(2, 441, strings.Repeat("m", 441)), zeros), "!"},
		{"a length beyond the slot", joined(slotBytes(2, 65535, "m"), zeros), "!"},
		{"counter 0", joined(slotBytes(0, 1, "x"), zeros), "!"},
		{"the last counter", joined(slotBytes(1<<64-1, 1, "x"), zeros), "!"},
		{"the last but one", joined(slotBytes(1<<64-2, 1, "x"), zeros), "!"}, // no mark could follow
		{"far on", joined(slotBytes(1<<64-3, 1, "x"), zeros), "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "head")
			if err := Create(path, c.content); err != nil {
				t.Fatal(err)
			}
			h, err := OpenHead(path)
			switch {
			case c.mark == "!":
				if !errors.Is(err, vault.ErrTampered) || !strings.Contains(err.Error(), path) {
					t.Errorf("opened: %v", err)
				}
			case err != nil:
				t.Error(err)
			default:
				wantMark(t, h, c.mark)
			}
			if err == nil {
				h.Close()
			}
		})
	}
	if _, err := OpenHead(filepath.Join(t.TempDir(), "head")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing one: %v", err)
	}
}

func joined(s ...[]byte) []byte { return bytes.Join(s, nil) }

// However a crash tears a write, the mark is the one before or the new one, and the next write is the newest.
func TestHeadTorn(t *testing.T) {
	before := joined(slotBytes(3, 5, "three"), slotBytes(2, 3, "two"))
	after := joined(slotBytes(3, 5, "three"), slotBytes(4, 4, "four"))
	path := newHead(t).path
	for cut := 512; cut <= 1024; cut++ {
		if err := os.WriteFile(path, joined(after[:cut], before[cut:]), 0o600); err != nil {
			t.Fatal(err)
		}
		want := "three"
		if cut == 1024 {
			want = "four"
		}
		h, err := OpenHead(path)
		if err != nil {
			t.Fatal(err)
		}
		wantMark(t, h, want)
		write(t, h, "next")
		wantMark(t, h, "next")
		h.file.Close() // without a sync
	}
}

// Somebody puts a mark of ours under the last counters there are. The marks that follow may be refused before their
// commits; they are never taken and lost.
func TestLastCounters(t *testing.T) {
	for left := range uint64(4) {
		path := filepath.Join(t.TempDir(), "vault-head")
		content := append(slotBytes(math.MaxUint64-1-left, 3, "old"), make([]byte, slotSize)...)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := OpenHead(path)
		newest := "old"
		for i := 0; err == nil; i++ {
			if i > int(left) {
				t.Fatalf("%d before the end, mark %d was taken", left, i)
			}
			if err = h.Check(); err != nil {
				break
			}
			newest = string(rune('a' + i))
			if err := h.Write([]byte(newest)); err != nil {
				t.Fatal(err)
			}
			wantMark(t, h, newest)
		}
		if !errors.Is(err, vault.ErrTampered) {
			t.Errorf("%d before the end: %v", left, err)
		}
	}
}

// A changed bit takes a slot away; it never makes another mark.
func TestHeadBitFlips(t *testing.T) {
	h := newHead(t)
	good := joined(slotBytes(3, 5, "three"), slotBytes(2, 3, "two"))
	seen := map[string]int{}
	for i := range good {
		for bit := range 8 {
			good[i] ^= 1 << bit
			if _, err := h.file.WriteAt(good, 0); err != nil {
				t.Fatal(err)
			}
			good[i] ^= 1 << bit
			mark, err := h.Mark()
			if err != nil {
				t.Fatal(err)
			}
			seen[string(mark)]++
		}
	}
	if fmt.Sprint(seen) != "map[three:4096 two:4096]" {
		t.Error(seen)
	}
}

// Two processes write in turn, under the lock of the store: the newest mark is the last one written, by whichever.
func TestHeadOfTwo(t *testing.T) {
	a := newHead(t)
	b := openHead(t, a.path)
	for i, h := range []*HeadFile{a, b, b, a, b, a, a, a, b} {
		mark := fmt.Sprint("mark ", i)
		write(t, h, mark)
		wantMark(t, a, mark)
		wantMark(t, b, mark)
		wantMark(t, openHead(t, a.path), mark)
	}
}

// Readers take no lock and never see less than a whole mark, nor an older one than before.
func TestHeadReadersBesideWriter(t *testing.T) {
	h := newHead(t)
	write(t, h, fmt.Sprintf("%0440d", 0))
	reader := openHead(t, h.path)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for last := ""; last < fmt.Sprintf("%0440d", 3000); {
			mark, err := reader.Mark()
			if err != nil || string(mark) < last || len(mark) != 440 {
				t.Errorf("%q, %v after %q", mark, err, last)
				return
			}
			last = string(mark)
		}
	}()
	for i := range 3000 {
		write(t, h, fmt.Sprintf("%0440d", i+1))
	}
	<-done
}

// What happens to the name of an open head file makes the next Sync fail, and what happens to its bytes the next Check,
// before anything is written.
func TestHeadMoved(t *testing.T) {
	for name, move := range map[string]func(path string) error{
		"removed": os.Remove,
		"linked":  func(p string) error { return os.Link(p, p+"2") },
		"renamed": func(p string) error { return os.Rename(p, p+"2") },
		"another": func(p string) error { return errors.Join(CreateHead(p+"2"), os.Rename(p+"2", p)) },
		"garbage": func(p string) error { return os.WriteFile(p, make([]byte, 1024), 0o600) },
		"cut":     func(p string) error { return os.Truncate(p, 512) },
		"emptied": func(p string) error { return os.Truncate(p, 0) },
	} {
		h := newHead(t)
		write(t, h, "first, which is synced")
		write(t, h, "mark")
		write(t, h, "mark") // Check looks at the name for the first one
		if err := move(h.path); err != nil {
			t.Fatal(err)
		}
		err := h.Check()
		if err != nil && !errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			err = h.Sync()
		}
		if err == nil || !strings.Contains(err.Error(), h.path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The first mark is on the disk before a second commit may be, whichever process wrote it.
func TestHeadFirstMark(t *testing.T) {
	for name, before := range map[string]func(a *HeadFile) (b *HeadFile){
		"the same handle":            func(a *HeadFile) *HeadFile { return a },
		"one that was opened before": func(a *HeadFile) *HeadFile { return openHead(t, a.path) },
		"one that was opened behind": func(*HeadFile) *HeadFile { return nil },
	} {
		a := newHead(t)
		b := before(a)
		if a.HasMark() {
			t.Errorf("%s: a new file has a mark", name)
		}
		write(t, a, "first")
		if !a.HasMark() || a.sure || a.dirty.IsZero() {
			t.Errorf("%s: the first commit waits for a sync", name)
		}
		if b == nil {
			b = openHead(t, a.path)
		} else if err := b.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !b.HasMark() || !b.sure || !b.dirty.IsZero() {
			t.Errorf("%s: not synced", name)
		}
	}
}

// If the first mark cannot be synced nothing more is committed here, with a mark or without one, whatever other processes do.
func TestHeadFirstMarkFails(t *testing.T) {
	h := newHead(t)
	write(t, h, "first")
	if err := os.Rename(h.path, h.path+"2"); err != nil {
		t.Fatal(err)
	}
	refused := func() {
		t.Helper()
		for name, err := range map[string]error{
			"Check": h.Check(), "Ready": h.Ready(vault.Batch{}), "Ready with a mark": h.Ready(vault.Batch{Mark: []byte("m")}),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), "sync of the head file: ") || !strings.HasSuffix(err.Error(), ": close the store and open it again") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !h.Due() || h.Sync() == nil {
			t.Error("the next Update does not hear of it")
		}
	}
	refused()
	if err := os.Rename(h.path+"2", h.path); err != nil {
		t.Fatal(err)
	}
	refused()
	other := openHead(t, h.path)
	write(t, other, "second")
	write(t, other, "third")
	refused()
}

func TestHeadSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHead(t)
		due := func(want bool) {
			t.Helper()
			if h.Due() != want {
				t.Errorf("due: %v", !want)
			}
		}
		due(false)
		write(t, h, "first") // which the next Check syncs
		time.Sleep(time.Hour)
		write(t, h, "one")
		due(false)
		time.Sleep(time.Second - 1)
		write(t, h, "two") // the first one counts
		due(false)
		time.Sleep(time.Nanosecond)
		due(true)
		if err := h.Sync(); err != nil {
			t.Error(err)
		}
		due(false)

		// A failed sync fails for good, Close included; and no other is tried.
		good := h.file
		write(t, h, "three")
		closed, err := os.Open(h.path)
		if err != nil {
			t.Fatal(err)
		}
		closed.Close()
		h.file = closed
		if err := h.Sync(); err == nil {
			t.Fatal("the sync did not fail")
		}
		h.file = good
		if err := h.Write([]byte("four")); err != nil {
			t.Error(err)
		}
		if h.Sync() == nil || h.Close() == nil {
			t.Error("a later sync was believed")
		}
		if _, err := h.Mark(); !errors.Is(err, vault.ErrClosed) {
			t.Errorf("Mark after Close: %v", err)
		}
	})
}

func BenchmarkHeadFile(b *testing.B) {
	h := newHead(b)
	mark := make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		if err := errors.Join(h.Check(), h.Write(mark)); err != nil {
			b.Fatal(err)
		}
	}
}
