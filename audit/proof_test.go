// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/keyward-go/keyward/audit"
)

// TestProofs makes every proof of every size up to 70, checks it, and refuses it with any byte changed, any hash
// left out or added, and for any other record or head. Under -short up to 33.
func TestProofs(t *testing.T) {
	top := 70
	if testing.Short() {
		top = 33
	}
	l := newLog(t, top)
	heads := make([]audit.Head, top+1)
	for size := range heads {
		heads[size] = l.head(size)
	}
	refused := func(why string, a, b int, p audit.Proof, check func(audit.Proof) error) {
		t.Helper()
		if err := check(p); err != nil {
			t.Fatalf("%s %d in %d: %v", why, a, b, err)
		}
		for i := range p {
			for j := range p[i] {
				p[i][j] ^= 1 << (j % 8)
				if check(p) == nil {
					t.Fatalf("%s %d in %d: hash %d byte %d changed and accepted", why, a, b, i, j)
				}
				p[i][j] ^= 1 << (j % 8)
			}
			if check(append(append(audit.Proof{}, p[:i]...), p[i+1:]...)) == nil {
				t.Fatalf("%s %d in %d: accepted without hash %d", why, a, b, i)
			}
		}
		if check(append(p[:len(p):len(p)], [32]byte{})) == nil {
			t.Fatalf("%s %d in %d: accepted with a hash more", why, a, b)
		}
		text, _ := p.MarshalText()
		var q audit.Proof
		if err := q.UnmarshalText(text); err != nil || len(p) != len(q) || len(p) > 0 && !reflect.DeepEqual(p, q) {
			t.Fatalf("%s %d in %d: text does not give the proof back: %v", why, a, b, err)
		}
	}
	for size := 1; size <= top; size++ {
		for seq := range size {
			p, err := audit.ProveRecord(int64(seq), int64(size), audit.Tree{}, l.read)
			if err != nil {
				t.Fatal(err)
			}
			refused("record", seq, size, p, func(p audit.Proof) error {
				return audit.CheckRecord(l.lines[seq], int64(seq), heads[size], p)
			})
			for other := range size {
				if other != seq && audit.CheckRecord(l.lines[other], int64(seq), heads[size], p) == nil {
					t.Fatalf("record %d passes for %d of %d", other, seq, size)
				}
			}
		}
	}
	for size := 0; size <= top; size++ {
		for old := 0; old <= size; old++ {
			p, err := audit.ProveConsistent(int64(old), int64(size), audit.Tree{}, l.read)
			if err != nil {
				t.Fatal(err)
			}
			refused("old head", old, size, p, func(p audit.Proof) error {
				return audit.CheckConsistent(heads[old], heads[size], p)
			})
			if old < size && old > 0 {
				wrong := heads[old]
				wrong.Root[0] ^= 1
				if audit.CheckConsistent(wrong, heads[size], p) == nil || audit.CheckConsistent(heads[size], heads[old], p) == nil {
					t.Fatalf("another old head passes for %d of %d", old, size)
				}
			}
		}
	}
}

// TestNumberInLine: a line whose own number is not its place is refused even if the tree holds it there.
func TestNumberInLine(t *testing.T) {
	l := newLog(t, 5)
	l.lines[3] = l.lines[2]
	p, err := audit.ProveRecord(3, 5, audit.Tree{}, l.read)
	if err != nil {
		t.Fatal(err)
	}
	if audit.CheckRecord(l.lines[3], 3, l.head(5), p) == nil {
		t.Error("accepted")
	}
}

func TestOutOfRange(t *testing.T) {
	numbers := []int64{math.MinInt64, -1, 0, 1, 5, 1<<60 + 1, 1 << 62, math.MaxInt64}
	l := newLog(t, 5)
	never := func(int64, int) ([][]byte, error) { return nil, errors.New("no lines") }
	for _, a := range numbers {
		for _, b := range numbers {
			h, old := l.head(5), l.head(5)
			h.Size, old.Size = b, a
			for _, p := range []audit.Proof{nil, make(audit.Proof, 3), make(audit.Proof, 100)} {
				if audit.CheckRecord(l.lines[0], a, h, p) == nil {
					t.Errorf("record %d of %d accepted", a, b)
				}
				if err := audit.CheckConsistent(old, h, p); (err == nil) != (a == b && a > 0 && a <= 1<<60 && p == nil) {
					t.Errorf("%d of %d: %v", a, b, err)
				}
			}
			if a < 0 || b <= a || b > 1<<60 {
				if _, err := audit.ProveRecord(a, b, audit.Tree{}, never); err == nil {
					t.Errorf("ProveRecord(%d, %d) gave a proof", a, b)
				}
			}
			if a < 0 || b < a || b > 1<<60 {
				if _, err := audit.ProveConsistent(a, b, audit.Tree{}, never); err == nil {
					t.Errorf("ProveConsistent(%d, %d) gave a proof", a, b)
				}
			}
		}
	}
}

func TestProveReads(t *testing.T) {
	l := newLog(t, 2500)
	seen := make([]int, 2500)
	most := 0
	counted := func(from int64, n int) ([][]byte, error) {
		most = max(most, n)
		got, err := l.read(from, min(n, 700)) // a short page is allowed
		for i := range got {
			seen[from+int64(i)]++
		}
		return got, err
	}
	p, err := audit.ProveRecord(1234, 2500, audit.Tree{}, counted)
	if err != nil || audit.CheckRecord(l.lines[1234], 1234, l.head(2500), p) != nil {
		t.Fatal("no proof", err)
	}
	for seq, n := range seen {
		if want := 1; n != want && seq != 1234 || seq == 1234 && n != 0 {
			t.Fatalf("line %d was read %d times", seq, n)
		}
	}
	if most > 1000 {
		t.Errorf("asked for %d lines at once", most)
	}
	failure := errors.New("store is gone")
	for why, lines := range map[string]audit.Lines{
		"error":    func(int64, int) ([][]byte, error) { return nil, failure },
		"no lines": func(int64, int) ([][]byte, error) { return nil, nil },
		"too many": func(_ int64, n int) ([][]byte, error) { return make([][]byte, n+1), nil },
	} {
		_, err := audit.ProveRecord(3, 5, audit.Tree{}, lines)
		if err == nil || why == "error" && !errors.Is(err, failure) {
			t.Errorf("%s: %v", why, err)
		}
		if _, err := audit.ProveConsistent(3, 5, audit.Tree{}, lines); err == nil {
			t.Errorf("%s: consistency proof", why)
		}
	}
}

func TestProofText(t *testing.T) {
	const hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	for why, bad := range map[string]string{
		"no newline": hash, "blank line": hash + "\n\n", "CR": hash + "\r\n", "space": " " + hash + "\n",
		"unused bits": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n", "no padding": hash[:43] + "\n",
		"short": "AAAA\n", "many": func() (s string) {
			for range 65 {
				s += hash + "\n"
			}
			return
		}(),
	} {
		p := audit.Proof{{1}}
		if p.UnmarshalText([]byte(bad)) == nil || len(p) != 1 || p[0][0] != 1 {
			t.Errorf("%s: accepted, or the proof changed", why)
		}
	}
	var p audit.Proof
	if err := p.UnmarshalText([]byte(hash + "\n")); err != nil || len(p) != 1 {
		t.Error(err)
	}
}
