// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/vault"
)

// copyFolder is what a process that dies now leaves behind, but for the lock.
func copyFolder(t testing.TB, dir string) (copied string) {
	t.Helper()
	copied = t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, f := range files(t, copied) {
		if err := os.Chmod(filepath.Join(copied, f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// life is batches that leave something to compact: rows replaced, removed and kept, lines dropped.
func life() (batches []vault.Batch) {
	for i := range int64(24) {
		b := vault.Batch{
			First: 2 * i, Lines: [][]byte{fmt.Appendf(nil, `{"seq":%d}`, 2*i), fmt.Appendf(nil, "text %d", 2*i+1)},
			Rows: []vault.Row{
				{Key: "head", Seq: 2*i + 1, Data: fmt.Appendf(nil, `{"size":%d}`, 2*i+2)},
				{Key: fmt.Sprint("t:", i%7), Seq: 2 * i, Data: fmt.Appendf(nil, `{"uses":%d}`, i)},
				{Key: fmt.Sprint("x:", i), Seq: 2 * i, Data: fmt.Append(nil, "sealed", i)},
				{Key: fmt.Sprint("x:", i-3)},
			},
			Keep: max(0, i-10),
		}
		if i < 3 { // outlives its line
			b.Rows = append(b.Rows, vault.Row{Key: fmt.Sprint("s:", i), Seq: 2 * i, Data: []byte(`{"stays":1}`)})
		}
		batches = append(batches, b)
	}
	return batches
}

// Compaction changes nothing that the store answers, before and after a reopen, and leaves nothing superseded.
func TestCompaction(t *testing.T) {
	batches := life()
	for n := 0; n < len(batches); n += 3 {
		path, other := newPath(t), newPath(t)
		s, plain := openAt(t, path), openAt(t, other)
		commit(t, s, batches[:n]...)
		commit(t, plain, batches[:n+1]...)
		s.Compact()
		commit(t, s, batches[n])
		want := state(t, plain)
		if got := state(t, s); got != want {
			t.Fatalf("after %d commits: %s, want %s", n, got, want)
		}
		if w := s.Wasted(); w != 0 {
			t.Fatalf("%d bytes are superseded after a compaction", w)
		}
		s.Close()
		s = openAt(t, path)
		if got := state(t, s); got != want {
			t.Fatalf("after %d commits and a reopen: %s, want %s", n, got, want)
		}
		if w := s.Wasted(); w != 0 {
			t.Fatalf("%d bytes are superseded after a compaction and a reopen", w)
		}
		s.Close()
		plain.Close()
		if text := read(t, path); strings.Count(text, `"key"`) != strings.Count(text, `"data"`) {
			t.Fatalf("a removal is left: %s", text)
		}
	}
}

// A process that dies at any step of a compaction leaves the batch whole or nothing of it, and no temporary file beyond the
// next Open.
func TestCompactionDies(t *testing.T) {
	batches := life()
	n := len(batches) - 1
	plain := openAt(t, newPath(t))
	commit(t, plain, batches[:n]...)
	before := state(t, plain)
	commit(t, plain, batches[n])
	after := state(t, plain)

	var seen []string
	for step := 0; ; step++ {
		path := newPath(t)
		var dead string
		calls := -1
		s, err := file.OpenFaulty(t.Context(), path, func(name string) error {
			if calls >= 0 {
				if calls == step {
					dead, seen = copyFolder(t, filepath.Dir(path)), append(seen, name)
				}
				calls++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, batches[:n]...)
		calls = 0
		b := batches[n]
		b.Scrub, b.Mark = true, []byte("mark")
		commit(t, s, b)
		if dead == "" { // behind the last step
			dead = copyFolder(t, filepath.Dir(path))
		}
		s.Close()
		reopened := openAt(t, filepath.Join(dead, "vault.journal"))
		want := before
		if len(seen) <= step || seen[step] == "sync folder" || seen[step] == "write head" {
			want = after
		}
		if got := state(t, reopened); got != want {
			t.Errorf("dead at step %d of %q: %s, want %s", step, seen, got, want)
		}
		reopened.Close()
		if got := files(t, dead); !slices.Equal(got, []string{"vault.journal", "vault.journal-head", "vault.journal-lock"}) {
			t.Errorf("dead at step %d of %q: left %q", step, seen, got)
		}
		if len(seen) <= step {
			break
		}
	}
	if want := []string{"create", "write new", "sync new", "rename", "sync folder", "write head"}; !slices.Equal(seen, want) {
		t.Errorf("the steps are %q, want %q", seen, want)
	}
}

// Whatever a crash leaves of the new journal, up to all of it, the old one stands byte for byte, and nothing else is left.
func TestCompactionCut(t *testing.T) {
	path, whole := newPath(t), ""
	s, err := file.OpenFaulty(t.Context(), path, func(step string) error {
		if step == "rename" {
			whole = read(t, path+"-new")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	batches := life()[:4]
	commit(t, s, batches[:3]...)
	want, journal, head := state(t, s), read(t, path), read(t, path+"-head")
	s.Compact()
	commit(t, s, batches[3])
	if !strings.HasPrefix(whole, `{"keyward"`) || whole == journal || whole != read(t, path) {
		t.Fatalf("the new journal is %q", whole)
	}
	for n := 0; n <= len(whole); n += 5 {
		p := put(t, journal, head)
		if err := os.WriteFile(p+"-new", []byte(whole[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openAt(t, p)
		if got := state(t, s); got != want || read(t, p) != journal {
			t.Fatalf("%d bytes of the new journal: %s, want %s; the journal is %q", n, got, want, read(t, p))
		}
		if got := files(t, filepath.Dir(p)); !slices.Equal(got, []string{"vault.journal", "vault.journal-head", "vault.journal-lock"}) {
			t.Fatalf("%d bytes of the new journal: left %q", n, got)
		}
		commit(t, s, batches[3])
		s.Close()
	}
}

// After Scrub no file has removed or replaced bytes, in any spelling, those of the same batch too.
func TestScrub(t *testing.T) {
	path := newPath(t)
	s := openAt(t, path)
	const secret, sealed = "replaced-7c1", "AAECremoved"
	old := []byte(`{"x":"` + secret + `"}`)
	commit(t, s,
		vault.Batch{Lines: [][]byte{[]byte(`{"l":"` + secret + `"}`), []byte("{}")}, Rows: []vault.Row{
			{Key: "a", Data: old}, {Key: "x:a", Data: []byte(sealed)}, {Key: "b", Data: []byte(`{"stays":1}`)}}},
		vault.Batch{First: 2, Rows: []vault.Row{{Key: "a", Data: []byte(`{"new":1}`)}, {Key: "a", Data: old}}})
	text := read(t, path)
	if !strings.Contains(text, secret) || !strings.Contains(text, base64Of(sealed)) {
		t.Fatalf("the test looks for the wrong bytes: %s", text)
	}
	commit(t, s, vault.Batch{First: 2, Keep: 1, Scrub: true, Rows: []vault.Row{
		{Key: "c", Data: old}, {Key: "c", Data: []byte(`{"new":3}`)}, {Key: "a", Data: []byte(`{"new":2}`)}, {Key: "x:a"}}})
	for _, name := range files(t, filepath.Dir(path)) {
		text := read(t, filepath.Join(filepath.Dir(path), name))
		if strings.Contains(text, secret) || strings.Contains(text, base64Of(sealed)) {
			t.Errorf("%s still has it: %s", name, text)
		}
	}
	if want := `1: ["{}"] [{a 0 {"new":2}} {b 0 {"stays":1}} {c 0 {"new":3}}]`; show(state(t, s)) != want {
		t.Errorf("%s, want %s", show(state(t, s)), want)
	}
}

func base64Of(s string) string {
	line := string(file.WriteLine(vault.Batch{Lines: [][]byte{[]byte(s)}}))
	return line[strings.Index(line, `["`)+2 : len(line)-3]
}

// show prints the data of rows as text.
func show(state string) string {
	for _, text := range []string{`{"new":2}`, `{"new":3}`, `{"stays":1}`} {
		state = strings.ReplaceAll(state, fmt.Sprint([]byte(text)), text)
	}
	return state
}

// The journal of a vault that only counts stays small: what is superseded never outgrows what stands by much.
func TestStaysSmall(t *testing.T) {
	path := newPath(t)
	s, err := file.OpenFaulty(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	data := []byte(`{"pad":"` + strings.Repeat("p", 400<<10) + `"}`)
	var size, most int64
	compactions := 0
	for i := range int64(200) { // 80 MB
		commit(t, s, vault.Batch{First: i, Lines: [][]byte{[]byte("{}")}, Rows: []vault.Row{{Key: "head", Seq: i, Data: data}}})
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() < size {
			compactions++
		}
		size = info.Size()
		most = max(most, size)
	}
	if most > 10<<20 || compactions < 5 || compactions > 15 {
		t.Errorf("grew to %d bytes, compacted %d times", most, compactions)
	}
}

// A compaction without room is put off: the commit is appended. One whose sync fails ends the store.
func TestCompactionFails(t *testing.T) {
	for _, c := range []struct {
		step  string
		err   error
		fails bool
	}{
		{"create", syscall.ENOSPC, false},
		{"create", syscall.EMFILE, false},
		{"write new", syscall.ENOSPC, false},
		{"write new", syscall.EIO, false},
		{"rename", syscall.EIO, false},
		{"sync new", syscall.EIO, true},
		{"sync new", syscall.ENOSPC, true},
		{"sync folder", syscall.EIO, true},
	} {
		path := newPath(t)
		s, err := file.OpenFaulty(t.Context(), path, func(step string) error {
			if step == c.step {
				return c.err
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, documented[0])
		s.Compact()
		err = update(s, documented[1])
		if (err != nil) != c.fails || errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s, %v: %v", c.step, c.err, err)
		}
		if next := update(s, vault.Batch{First: 2, Lines: [][]byte{[]byte("{}")}}); (next != nil) != c.fails {
			t.Errorf("%s, %v: and then %v", c.step, c.err, next)
		}
		if n := len(files(t, filepath.Dir(path))); n != 3 {
			t.Errorf("%s, %v: left %q", c.step, c.err, files(t, filepath.Dir(path)))
		}
		s.Close()
	}
}

// Those who read go on while journals come and go under them.
func TestReadersBesideCompaction(t *testing.T) {
	s := openAt(t, newPath(t))
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				lines, err := s.Lines(context.Background(), 0, 1000)
				for i, l := range lines {
					if want := fmt.Sprintf(`{"seq":%d}`, i); string(l) != want {
						err = errors.Join(err, fmt.Errorf("line %d is %s", i, l))
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range int64(60) {
		s.Compact()
		commit(t, s, vault.Batch{First: i, Lines: [][]byte{fmt.Appendf(nil, `{"seq":%d}`, i)}, Rows: []vault.Row{{Key: "head", Seq: i, Data: []byte("{}")}}})
	}
	close(stop)
	readers.Wait()
}
