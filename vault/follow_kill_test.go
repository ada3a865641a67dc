// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// followChild is a consumer as Log.Follow describes it: it deals with a record (a line in a file of its own, synced), then
// keeps its number (another file, synced), and goes on behind that after a restart. early keeps the number first, which is
// the bug that TestFollowKilled must find. It speaks at each step, and says which record is done.
func followChild(v *vault.Vault, dir string, early bool) error {
	work, err := os.OpenFile(filepath.Join(dir, "work"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	cursor, err := os.OpenFile(filepath.Join(dir, "cursor"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	since := int64(0)
	var kept [20]byte
	if _, err := cursor.ReadAt(kept[:], 0); err == nil {
		if since, err = strconv.ParseInt(string(bytes.TrimSpace(kept[:])), 10, 64); err != nil {
			return err
		}
	}
	for r, err := range v.Log().Follow(context.Background(), audit.Filter{Since: since}) {
		if err != nil {
			return err
		}
		steps := []func() error{
			func() error {
				if _, err := fmt.Fprintln(work, r.Seq); err != nil {
					return err
				}
				return work.Sync()
			},
			func() error {
				if _, err := cursor.WriteAt(fmt.Appendf(nil, "%20d", r.Seq+1), 0); err != nil {
					return err
				}
				return cursor.Sync()
			},
		}
		if early {
			steps[0], steps[1] = steps[1], steps[0]
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
			fmt.Println("step")
		}
		fmt.Println("done", r.Seq)
	}
	return nil
}

// TestFollowKilled kills a consumer again and again while another process writes. It must have dealt with every record, in
// order; one comes twice only where a kill fell between dealing with it and keeping its number. The same with a consumer
// that keeps the number first must miss some.
func TestFollowKilled(t *testing.T) {
	for role, wantMissed := range map[string]bool{"follow": false, "follow-early": true} {
		t.Run(role, func(t *testing.T) {
			dir := t.TempDir()
			v, err := openDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = v.Close() }()
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "value")
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 1))
			kills := 10
			if wantMissed {
				kills = 30 // each misses a record or not
			}
			for range kills {
				p := startChild(t, role, dir, 0, vault.Token{})
				for range 3 {
					if _, _, err := getPath(op, bedPath); err != nil {
						t.Fatal(err)
					}
				}
				if p.read() != "ready" {
					t.Fatal("the child is not ready")
				}
				for range 1 + rng.IntN(6) {
					p.read()
				}
				if err := p.cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = p.cmd.Wait()
			}
			p := startChild(t, role, dir, 0, vault.Token{})
			if _, _, err := getPath(op, bedPath); err != nil {
				t.Fatal(err)
			}
			all := logOf(t, v, audit.Filter{})
			for end := fmt.Sprint("done ", all[len(all)-1].Seq); p.read() != end; {
			}
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()

			missed, twice := followed(t, filepath.Join(dir, "work"))
			t.Logf("%d records, %d missed, %d twice", len(all), missed, twice)
			if twice > kills || !wantMissed && missed > 0 {
				t.Errorf("missed %d, twice %d, with %d kills", missed, twice, kills)
			}
			if wantMissed && missed == 0 {
				t.Error("a consumer that keeps the number first was not found")
			}
		})
	}
}

// followed counts the numbers that are missing from a file and those that are repeated. The last line may be torn.
func followed(t testing.TB, file string) (missed, twice int) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal("a torn line:", err)
		}
		switch {
		case n >= next:
			missed += n - next
			next = n + 1
		case n == next-1:
			twice++
		default:
			t.Errorf("record %d behind %d", n, next-1)
		}
	}
	return missed, twice
}
