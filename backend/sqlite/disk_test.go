// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

// SQLite's log stays small under constant load, beside readers that never rest.
func TestLogStaysSmall(t *testing.T) {
	s, path := openNew(t)
	if err := s.Relax(); err != nil { // it is about sizes
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.Lines(t.Context(), 0, 50)
				}
			}
		})
	}
	line := strings.Repeat("l", 350)
	var largest int64
	for i := range 3000 {
		if err := appendLine(t.Context(), s, line); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			s.WaitCheckpoint() // or a slow disk decides how large the log is
			info, err := os.Lstat(path + "-wal")
			if err != nil {
				t.Fatal(err)
			}
			largest = max(largest, info.Size())
		}
	}
	close(stop)
	readers.Wait()
	t.Logf("largest log: %d KiB", largest>>10)
	if largest > 16<<20 {
		t.Errorf("the log grew to %d MiB", largest>>20)
	}
}

// After a Scrub no byte of what was removed or replaced is in a file, however the pages were split and joined.
func TestScrub(t *testing.T) {
	s, path := openNew(t)
	if err := s.Relax(); err != nil {
		t.Fatal(err)
	}
	const mark = "REMOVED-BYTES"
	rnd := rand.New(rand.NewPCG(1, 2))
	size := int64(0)
	commit := func(scrub bool, rows ...vault.Row) {
		t.Helper()
		for i := range rows {
			rows[i].Seq = size
		}
		b := vault.Batch{First: size, Lines: [][]byte{[]byte("{}")}, Rows: rows, Scrub: scrub}
		if err := s.Update(t.Context(), size, func([]vault.Row) (vault.Batch, error) { return b, nil }); err != nil {
			t.Fatal(err)
		}
		size++
	}
	found := func() (n int) {
		for _, f := range []string{path, path + "-wal"} {
			b, err := exec.Command("cat", f).Output() // not in this process: that would drop the store's locks
			if err != nil {
				t.Fatal(err)
			}
			n += bytes.Count(b, []byte(mark))
		}
		return n
	}
	value := func(n int) []byte {
		return fmt.Appendf(nil, `"%s"`, strings.Repeat(mark, 1+rnd.IntN(n)/len(mark)))
	}
	for range 400 {
		var rows []vault.Row
		for range 10 {
			i := rnd.IntN(500)
			switch rnd.IntN(4) {
			case 0:
				rows = append(rows, vault.Row{Key: fmt.Sprintf("v:%d", i)})
			case 1:
				rows = append(rows, vault.Row{Key: fmt.Sprintf("x:%d", i), Data: value(20_000)})
			default:
				rows = append(rows, vault.Row{Key: fmt.Sprintf("v:%d", i), Data: value(1500)})
			}
		}
		commit(false, append(rows, vault.Row{Key: "head", Data: value(1500)})...)
	}
	if found() == 0 {
		t.Fatal("the test does not find what is there")
	}
	clean := []vault.Row{{Key: "head", Data: []byte("{}")}}
	for i := range 500 {
		clean = append(clean, vault.Row{Key: fmt.Sprintf("x:%d", i)}, vault.Row{Key: fmt.Sprintf("v:%d", i)})
		if i%2 == 0 {
			clean[len(clean)-1].Data = []byte(`{"gone":true}`)
		}
	}
	commit(true, clean...)
	if n := found(); n > 0 {
		t.Errorf("%d removed pieces are still there", n)
	}
}

// A store that a failed sync has poisoned says what to do, answers reads, and refuses the rest.
func TestPoisoned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	broken := false
	s, err := sqlite.OpenFaulty(t.Context(), path, func(step string) error {
		if broken && step == "commit" {
			return sqliteError(1034) // SQLITE_IOERR_FSYNC
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := appendLine(t.Context(), s, "l"); err != nil {
		t.Fatal(err)
	}
	broken = true
	if err := appendLine(t.Context(), s, "l"); err == nil {
		t.Fatal("a failed sync was not reported")
	}
	broken = false
	if err := appendLine(t.Context(), s, "l"); err == nil || !strings.Contains(err.Error(), "close the store and open it again") {
		t.Errorf("after a failed sync: %v", err)
	}
	if n := len(allLines(t, s)); n != 1 {
		t.Errorf("%d lines are read, want 1", n)
	}
	s.Close()
	if err := appendLine(t.Context(), openAt(t, path), "l"); err != nil {
		t.Error(err)
	}
}

type sqliteError int

func (e sqliteError) Error() string { return fmt.Sprint("disk I/O error ", int(e)) }
func (e sqliteError) Code() int     { return int(e) }
