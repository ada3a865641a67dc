// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/vault"
)

// small is a journal with a header and three commits, and its head file.
func small(t testing.TB) (journal, head string) {
	t.Helper()
	path := newPath(t)
	s := openAt(t, path)
	commit(t, s, documented...)
	commit(t, s, vault.Batch{First: 2, Lines: [][]byte{[]byte(`{"seq":2}`)}, Mark: []byte("mark"),
		Rows: []vault.Row{{Key: "head", Seq: 2, Data: []byte(`{"size":3}`)}}})
	s.Close()
	return read(t, path), read(t, path+"-head")
}

// put writes a journal and its head file into a new folder.
func put(t testing.TB, journal, head string) (path string) {
	t.Helper()
	path = newPath(t)
	err := os.WriteFile(path, []byte(journal), 0o600)
	if head != "" {
		err = errors.Join(err, os.WriteFile(path+"-head", []byte(head), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// state is everything that a store answers.
func state(t testing.TB, s vault.Store) string {
	t.Helper()
	rows, err := s.Rows(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var first int64
	var lines [][]byte
	for first = 0; first < 100 && len(lines) == 0; first++ {
		if lines, err = s.Lines(t.Context(), first, 1000); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%d: %q %v", first-1, lines, rows)
}

// A journal that ends anywhere opens with the commits that are whole, does not change by that, and goes on; in the header
// it is refused.
func TestCutAtEachByte(t *testing.T) {
	journal, head := small(t)
	var states []string // after the header and each commit
	for n := range journal {
		if journal[n] == '\n' {
			s := openAt(t, put(t, journal[:n+1], blankHead(t)))
			states = append(states, state(t, s))
			s.Close()
		}
	}
	for n := range len(journal) {
		path := put(t, journal[:n], head)
		s, err := file.Open(t.Context(), path)
		whole := strings.Count(journal[:n], "\n")
		if whole <= 1 { // no commit is left, but the head file knows one
			want := vault.ErrRollback
			if whole == 0 {
				want = vault.ErrTampered
			}
			if !errors.Is(err, want) {
				t.Fatalf("cut at %d: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if got := state(t, s); got != states[whole-1] {
			t.Fatalf("cut at %d: %s, want %s", n, got, states[whole-1])
		}
		if got := read(t, path); got != journal[:n] {
			t.Fatalf("cut at %d: Open has changed the journal", n)
		}
		next := vault.Batch{First: int64(whole) - 1, Lines: [][]byte{[]byte(`{"next":1}`)}}
		commit(t, s, next)
		s.Close()
		torn := n - strings.LastIndexByte(journal[:n], '\n') - 1
		text := read(t, path)
		if noted := strings.Contains(text, fmt.Sprintf(`{"dropped":%d,`, torn)); noted != (torn > 0) || !strings.HasSuffix(text, "\n") {
			t.Fatalf("cut at %d: %d bytes were dropped, noted: %v: %s", n, torn, noted, text)
		}
		s = openAt(t, path)
		if lines, err := s.Lines(t.Context(), next.First, 10); err != nil || len(lines) != 1 {
			t.Fatalf("cut at %d: the commit that follows: %q, %v", n, lines, err)
		}
		s.Close()
	}
}

// blankHead is a head file without a mark.
func blankHead(t testing.TB) string {
	t.Helper()
	path := newPath(t)
	openAt(t, path).Close()
	return read(t, path+"-head")
}

// A flipped bit in the last line is a torn line; anywhere else it is damage, and nothing is written.
func TestBitsFlipped(t *testing.T) {
	journal, head := small(t)
	lastLine := strings.LastIndexByte(journal[:len(journal)-1], '\n') // its newline may take the last line with it
	for i := range journal {
		for _, bit := range []int{i % 8, (i + 3) % 8} { // every place, and every bit somewhere
			b := []byte(journal)
			b[i] ^= 1 << bit
			path := put(t, string(b), head)
			s, err := file.Open(t.Context(), path)
			switch {
			case i < lastLine && !errors.Is(err, vault.ErrTampered) && !errors.Is(err, errors.ErrUnsupported):
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			case i >= lastLine && err == nil:
				if lines, err := s.Lines(t.Context(), 0, 10); err != nil || len(lines) > 2 {
					t.Fatalf("byte %d, bit %d: %q, %v", i, bit, lines, err)
				}
			case i >= lastLine && !errors.Is(err, vault.ErrTampered): // it became a newline
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
			if s != nil {
				s.Close()
			}
			if read(t, path) != string(b) {
				t.Fatalf("byte %d, bit %d: Open has changed the journal", i, bit)
			}
		}
	}
}

func TestDamaged(t *testing.T) {
	journal, head := small(t)
	line := strings.SplitAfter(journal, "\n") // header, three commits, and nothing
	body := func(i int) string { return line[i][:strings.LastIndexByte(line[i], ' ')] }
	sealed := func(bodies ...string) string { return string(file.Reseal(bodies...)) }
	big := `{"rows":[],"lines":["` + strings.Repeat("A", 17<<20) + `"]}`
	for name, c := range map[string]struct {
		journal string
		want    error
	}{
		"as it was":               {journal, nil},
		"sealed again":            {sealed(body(0), body(1), body(2), body(3)), nil},
		"empty":                   {"", vault.ErrTampered},
		"without a header":        {line[1] + line[2] + line[3], vault.ErrTampered},
		"foreign text":            {"hello\nworld\n", vault.ErrTampered},
		"foreign, no newline":     {"SQLite format 3\x00", vault.ErrTampered},
		"foreign JSON":            {sealed(`{"a":1}`), vault.ErrTampered},
		"zeros":                   {strings.Repeat("\x00", 4096), vault.ErrTampered},
		"zeros at the end":        {line[0] + line[1] + strings.Repeat("\x00", 4096), nil},
		"another format":          {sealed(`{"keyward":"journal","format":2,"x":1}`, "?"), errors.ErrUnsupported},
		"format 0":                {sealed(`{"keyward":"journal","format":0,"first":0}`), vault.ErrTampered},
		"header with more":        {sealed(`{"keyward":"journal","format":1,"first":0,"x":1}`), vault.ErrTampered},
		"first below zero":        {sealed(`{"keyward":"journal","format":1,"first":-1}`), vault.ErrTampered},
		"first line missing":      {line[0] + line[2] + line[3], vault.ErrTampered},
		"middle line missing":     {line[0] + line[1] + line[3] + line[3], vault.ErrTampered},
		"lines swapped":           {line[0] + line[2] + line[1] + line[3], vault.ErrTampered},
		"line doubled":            {line[0] + line[1] + line[1] + line[2] + line[3], vault.ErrTampered},
		"header doubled":          {line[0] + line[0] + line[1] + line[2] + line[3], vault.ErrTampered},
		"two journals":            {journal + journal, vault.ErrTampered},
		"blank line":              {line[0] + "\n" + line[1], vault.ErrTampered},
		"CR LF":                   {strings.ReplaceAll(journal, "\n", "\r\n"), vault.ErrTampered},
		"UTF-8 mark":              {"\ufeff" + journal, vault.ErrTampered},
		"upper-case checksum":     {strings.ToUpper(line[0]) + line[1], vault.ErrTampered},
		"unknown field":           {sealed(body(0), `{"rows":[],"lines":[],"x":1}`), vault.ErrTampered},
		"unknown field in front":  {sealed(body(0), `{"x":1,"rows":[],"lines":[]}`), vault.ErrTampered},
		"unknown field of a row":  {sealed(body(0), `{"rows":[{"key":"a","x":1}],"lines":[]}`), vault.ErrTampered},
		"row without data":        {sealed(body(0), `{"rows":[{"key":"a","seq":1}],"lines":[]}`), vault.ErrTampered},
		"row of a number":         {sealed(body(0), `{"rows":[{"key":"a","seq":1,"data":1}],"lines":[]}`), vault.ErrTampered},
		"row of bad base64":       {sealed(body(0), `{"rows":[{"key":"a","seq":1,"data":"A"}],"lines":[]}`), vault.ErrTampered},
		"row of loose base64":     {sealed(body(0), `{"rows":[{"key":"a","seq":1,"data":"AB=="}],"lines":[]}`), vault.ErrTampered},
		"number with a zero":      {sealed(body(0), `{"rows":[{"key":"a","seq":01,"data":{}}],"lines":[]}`), vault.ErrTampered},
		"number of 19 digits":     {sealed(body(0), `{"rows":[{"key":"a","seq":9999999999999999999,"data":{}}],"lines":[]}`), vault.ErrTampered},
		"key with NUL":            {sealed(body(0), `{"rows":[{"key":"a\u0000"}],"lines":[]}`), vault.ErrTampered},
		"empty key":               {sealed(body(0), `{"rows":[{"key":""}],"lines":[]}`), vault.ErrTampered},
		"keep beyond the log":     {sealed(body(0), body(1), `{"keep":2,"rows":[],"lines":[]}`), vault.ErrTampered},
		"keep at the end":         {sealed(body(0), body(1), `{"keep":1,"rows":[],"lines":[]}`), nil},
		"blank in a commit":       {sealed(body(0), `{"rows": [],"lines":[]}`), vault.ErrTampered},
		"rows only":               {sealed(body(0), `{"rows":[]}`), vault.ErrTampered},
		"a line that never ends":  {line[0] + strings.Repeat("A", 17<<20), vault.ErrTampered},
		"a line that is too long": {sealed(body(0), big, body(1)), vault.ErrTampered},
	} {
		t.Run(name, func(t *testing.T) {
			path := put(t, c.journal, head)
			s, err := file.Open(t.Context(), path)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if s != nil {
				s.Close()
			}
			if read(t, path) != c.journal {
				t.Error("Open has changed the journal")
			}
		})
	}
}

// Without its head file a journal that is not empty opens, says so, and commits nothing but the batch that makes it anew.
func TestHeadFileLost(t *testing.T) {
	journal, head := small(t)
	for name, c := range map[string]struct {
		head string
		want error
	}{
		"missing": {"", vault.ErrRollback},
		"zeros":   {strings.Repeat("\x00", 1024), vault.ErrTampered},
		"half":    {head[:512], vault.ErrTampered},
	} {
		for _, scrub := range []bool{false, true} { // appended, and in a new journal
			path := put(t, journal, c.head)
			line := [][]byte{[]byte("{}")}
			for i := range 3 {
				s, err := file.Open(t.Context(), path)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if _, err := s.Mark(t.Context()); !errors.Is(err, c.want) || !strings.Contains(err.Error(), path+"-head") {
					t.Errorf("%s: Mark says %v", name, err)
				}
				for _, b := range []vault.Batch{
					{First: 3, Lines: line},
					{First: 3, Lines: line, Mark: []byte("m"), Scrub: scrub},
					{First: 3, Lines: line, Renew: true},
					{First: 3, Rows: []vault.Row{{Key: "a", Data: []byte("{}")}}},
				} {
					if err := update(s, b); !errors.Is(err, c.want) {
						t.Errorf("%s: Update says %v", name, err)
					}
				}
				commit(t, s, vault.Batch{First: 3, Mark: []byte("m"), Renew: true}) // commits nothing
				if read(t, path) != journal || c.head != "" && read(t, path+"-head") != c.head {
					t.Errorf("%s: the files were changed", name)
				}
				if _, err := os.Lstat(path + "-head"); (err != nil) != (c.head == "") {
					t.Errorf("%s: %v", name, err)
				}
				if i == 2 {
					commit(t, s, vault.Batch{First: 3, Lines: line, Mark: []byte("new"), Scrub: scrub, Renew: true},
						vault.Batch{First: 4, Lines: line, Mark: []byte("next")})
				}
				s.Close()
			}
			if info, err := os.Lstat(path + "-head"); err != nil || info.Mode() != 0o600 || info.Size() != 1024 {
				t.Errorf("%s: the head file: %v, %v", name, info, err)
			}
			s := openAt(t, path)
			if m, err := s.Mark(t.Context()); err != nil || string(m) != "next" {
				t.Errorf("%s: mark %q, %v", name, m, err)
			}
			s.Close()
		}
	}
	path := put(t, journal[:strings.IndexByte(journal, '\n')+1], head[:512])
	for range 2 {
		if _, err := file.Open(t.Context(), path); !errors.Is(err, vault.ErrTampered) {
			t.Errorf("an empty journal beside half a head file: %v", err)
		}
		os.Remove(path) // and without one
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("a journal was made")
	}
}

// A journal that is gone is a rollback, not a new vault.
func TestFileMissing(t *testing.T) {
	journal, head := small(t)
	path := put(t, journal, head)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first did not make one
		if _, err := file.Open(t.Context(), path); !errors.Is(err, vault.ErrRollback) {
			t.Errorf("without the journal: %v", err)
		}
	}
	path = put(t, journal[:strings.IndexByte(journal, '\n')+1], "") // nothing was ever committed
	openAt(t, path)
}

// A journal that changes while it is open is found at the next Update, and by Lines.
func TestChangedWhileOpen(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"removed":  os.Remove,
		"replaced": func(path string) error { return replace(path) },
		"longer":   func(path string) error { return appendTo(path, "x") },
		"shorter":  func(path string) error { return os.Truncate(path, 100) },
		"linked":   func(path string) error { return os.Link(path, path+"2") },
		"head cut": func(path string) error { return os.Truncate(path+"-head", 512) },
	} {
		path := newPath(t)
		s := openAt(t, path)
		commit(t, s, documented[0])
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		ran := false
		err := s.Update(t.Context(), 1, func([]vault.Row) (vault.Batch, error) {
			ran = true
			return documented[1], nil
		})
		if !errors.Is(err, vault.ErrTampered) || ran && name != "head cut" { // that is looked at before the commit
			t.Errorf("%s: %v; fn ran: %v", name, err, ran)
		}
		if name == "head cut" && size(t, s) != 1 {
			t.Errorf("%s: it was committed", name)
		}
	}
	path := newPath(t)
	s := openAt(t, path)
	commit(t, s, documented...)
	b := []byte(read(t, path))
	at := bytes.Index(b, []byte(`"op":"get"`))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(`"op":"put"`), int64(at)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lines(t.Context(), 1, 1); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("a changed line is read: %v", err)
	}
	if err := update(s, vault.Batch{First: 2, Lines: [][]byte{[]byte("{}")}, Scrub: true}); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("a changed line is compacted: %v", err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	for i, l := range lines[:3] {
		lines[i] = strings.ReplaceAll(l[:strings.LastIndexByte(l, ' ')], `"op":"get"`, `"op":"put"`)
	}
	if _, err := f.WriteAt(file.Reseal(lines[:3]...), 0); err != nil {
		t.Fatal(err)
	}
	if err := update(s, vault.Batch{First: 2, Lines: [][]byte{[]byte("{}")}, Scrub: true}); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("a changed line with good checksums is compacted: %v", err)
	}
}

func replace(path string) error {
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	return err
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// What others could read, change or have put there is refused, and nothing is made beside it.
func TestUnsafe(t *testing.T) {
	journal, head := small(t)
	for name, c := range map[string]struct {
		spoil func(path string) error
		says  string
	}{
		"others can read": {func(path string) error { return os.Chmod(path, 0o644) }, "chmod 600"},
		"symbolic link": {func(path string) error {
			return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path))
		}, "symbolic link"},
		"hard link":   {func(path string) error { return os.Link(path, path+"2") }, "second name"},
		"folder":      {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, "regular"},
		"pipe":        {func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) }, "regular"},
		"open folder": {func(path string) error { return os.Chmod(filepath.Dir(path), 0o777) }, "chmod o-w"},
		"head others": {func(path string) error { return os.Chmod(path+"-head", 0o640) }, "chmod 600"},
		"head a link": {func(path string) error {
			return errors.Join(os.Rename(path+"-head", path+"2"), os.Symlink(path+"2", path+"-head"))
		}, "symbolic link"},
		"lock a link": {func(path string) error { return os.Symlink(path, path+"-lock") }, "symbolic link"},
	} {
		path := put(t, journal, head)
		if err := c.spoil(path); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := file.Open(t.Context(), ""); err == nil {
		t.Error("opened without a path")
	}
}
