// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
)

// kept reads a log of which the lines below first are gone.
func (l *log) kept(first int64) audit.Lines {
	return func(from int64, n int) ([][]byte, error) {
		if from < first {
			return nil, fmt.Errorf("line %d was archived", from)
		}
		return l.read(from, n)
	}
}

// TestLogInParts verifies a log in two parts, cut at every place, and in three.
func TestLogInParts(t *testing.T) {
	const size = 21
	l := newLog(t, size)
	for cut := 1; cut <= size; cut++ {
		archive, rest, from := l.part(t, 0, cut), l.part(t, cut, size), l.checkpoint(t, cut)
		if h, err := audit.Verify(bytes.NewReader(archive), l.verifier); err != nil || h != l.head(cut) {
			t.Fatalf("archive of %d: %v", cut, err)
		}
		earlier := [][]byte{l.checkpoint(t, 0), l.checkpoint(t, cut), l.checkpoint(t, size), l.checkpoint(t, (cut+size)/2)}
		if h, err := audit.VerifyFrom(from, bytes.NewReader(rest), l.verifier, earlier...); err != nil || h != l.head(size) {
			t.Fatalf("from %d: %v", cut, err)
		}
		for middle := cut + 1; middle < size; middle++ {
			if _, err := audit.VerifyFrom(from, bytes.NewReader(l.part(t, cut, middle)), l.verifier); err != nil {
				t.Fatalf("from %d to %d: %v", cut, middle, err)
			}
		}
	}
	// A checkpoint to begin from does no harm where it is not needed.
	if _, err := audit.VerifyFrom(l.checkpoint(t, 9), bytes.NewReader(l.export(t)), l.verifier); err != nil {
		t.Error(err)
	}
}

// TestCutFinds names the ways to lie with an edge, and the record that the error must name.
func TestCutFinds(t *testing.T) {
	const size, cut = 40, 22 // 10110: three hashes
	l := newLog(t, size)
	good, from := string(l.part(t, cut, size)), l.checkpoint(t, cut)
	forged := record(3)
	forged.Reason = "canary-line"
	lines := append([][]byte(nil), l.lines...)
	lines[3] = []byte(forged.String())
	other := &log{lines, l.signer, l.verifier}
	edge := func(edit func(raw []byte) []byte) string {
		text, _ := l.edge(cut).MarshalText()
		raw, _ := base64.RawStdEncoding.DecodeString(string(text))
		return strings.Replace(good, string(text), base64.RawStdEncoding.EncodeToString(edit(raw)), 1)
	}
	begin := strings.Index(good, "edge ")
	end := begin + strings.Index(good[begin:], "\n") + 1
	line := good[begin:end]
	resize := func(n uint64) func([]byte) []byte {
		return func(raw []byte) []byte { binary.BigEndian.PutUint64(raw, n); return raw }
	}
	for _, c := range []struct {
		why    string
		export string
		from   []byte
		seq    int64
	}{
		{"taken for a whole log", good, nil, 0},
		{"from a smaller checkpoint", good, l.checkpoint(t, cut-1), 0},
		{"from a larger checkpoint", good, l.checkpoint(t, cut+1), 0},
		{"from the empty log", good, l.checkpoint(t, 0), 0},
		{"no edge", strings.Replace(good, line, "", 1), from, 0},
		{"edge twice", strings.Replace(good, line, line+line, 1), from, cut},
		{"edge behind", strings.Replace(good, line, "", 1) + line, from, 0},
		{"edge between", strings.Replace(good, "\n{\"seq\":23,", "\n"+line+"{\"seq\":23,", 1), from, 23},
		{"edge cut", good[:end-1], from, 0},
		{"edge of another length", strings.Replace(good, line, line[:len(line)-2]+"\n", 1), from, 0},
		{"edge with a carriage return", strings.Replace(good, line, line[:len(line)-1]+"\r\n", 1), from, 0},
		{"edge with a space", strings.Replace(good, "edge ", "edge  ", 1), from, 0},
		{"edge in upper case", strings.Replace(good, "edge ", "Edge ", 1), from, 0},
		{"edge of nothing", strings.Replace(string(l.export(t)), "\n\n{", "\n\nedge AAAAAAAAAAA\n{", 1), nil, 0},
		{"edge longer than the log", edge(resize(cut + 32 - 4)), from, 0},
		{"edge of another size", edge(resize(cut + 3)), from, 0},
		{"edge hash changed", edge(func(raw []byte) []byte { raw[10] ^= 1; return raw }), from, 0},
		{"edge hashes swapped", edge(func(raw []byte) []byte {
			return append(append(append(raw[:8:8], raw[40:72]...), raw[8:40]...), raw[72:]...)
		}), from, 0},
		{"other records before", string(other.part(t, cut, size)), from, 0},
		{"other records before, and their checkpoint", good, other.checkpoint(t, cut), 0},
		{"edge of other records", strings.Replace(good, line, string(edgeLine(other.edge(cut))), 1), from, 0},
		{"a record edited", strings.Replace(good, "call-30", "call-3x", 1), from, cut},
		{"a record dropped", strings.Replace(good, string(l.lines[cut])+"\n", "", 1), from, cut},
		{"cut", good[:strings.Index(good, "{\"seq\":39,")], from, 39},
		{"all records dropped", good[:end], from, cut},
		{"an edge that says too much", strings.Replace(good, "edge ", "edge "+strings.Repeat("A", 4096), 1), from, 0},
	} {
		if c.export == good && bytes.Equal(c.from, from) {
			t.Fatalf("%s: nothing changed", c.why)
		}
		h, err := audit.VerifyFrom(c.from, strings.NewReader(c.export), l.verifier)
		var tampered *audit.TamperError
		if !errors.As(err, &tampered) || h != (audit.Head{}) {
			t.Errorf("%s: %v, %v", c.why, h, err)
		} else if tampered.Seq != c.seq {
			t.Errorf("%s: %v, want record %d", c.why, err, c.seq)
		}
	}
	// What an earlier checkpoint covers is not here, so it can say nothing: that is no tampering, and no success.
	_, err := audit.VerifyFrom(from, strings.NewReader(good), l.verifier, l.checkpoint(t, 5))
	var tampered *audit.TamperError
	if err == nil || errors.As(err, &tampered) || !strings.Contains(err.Error(), "archive") {
		t.Errorf("an earlier checkpoint below the cut: %v", err)
	}
	if err := audit.WriteExport(io.Discard, l.checkpoint(t, 5), l.edge(6), 5, l.read); err == nil {
		t.Error("an export that begins behind its end was written")
	}
}

func edgeLine(t audit.Tree) []byte {
	line, _ := t.AppendText([]byte("edge "))
	return append(line, '\n')
}

// TestProofsAcrossCuts makes every proof of a small log that begins at every place, and the same without the cut.
func TestProofsAcrossCuts(t *testing.T) {
	top := 35
	if testing.Short() {
		top = 18
	}
	l := newLog(t, top)
	for first := 0; first <= top; first++ {
		edge, lines := l.edge(first), l.kept(int64(first))
		for size := first; size <= top; size++ {
			for n := 0; n <= size; n++ {
				want, err := audit.ProveConsistent(int64(n), int64(size), audit.Tree{}, l.read)
				if err != nil {
					t.Fatal(err)
				}
				p, err := audit.ProveConsistent(int64(n), int64(size), edge, lines)
				switch {
				case n > 0 && n < first:
					if err == nil || !strings.Contains(err.Error(), "archive") {
						t.Fatalf("from %d to %d over a cut at %d: %v", n, size, first, err)
					}
				case err != nil:
					t.Fatalf("from %d to %d over a cut at %d: %v", n, size, first, err)
				case fmt.Sprint(p) != fmt.Sprint(want) || audit.CheckConsistent(l.head(n), l.head(size), p) != nil:
					t.Fatalf("from %d to %d over a cut at %d: another proof", n, size, first)
				}
			}
			for seq := range size {
				p, err := audit.ProveRecord(int64(seq), int64(size), edge, lines)
				if seq < first {
					if err == nil || !strings.Contains(err.Error(), "archive") {
						t.Fatalf("record %d of %d over a cut at %d: %v", seq, size, first, err)
					}
				} else if err != nil || audit.CheckRecord(l.lines[seq], int64(seq), l.head(size), p) != nil {
					t.Fatalf("record %d of %d over a cut at %d: %v", seq, size, first, err)
				}
			}
		}
		// A proof in a log that ends below the cut: nothing of it is there.
		if first > 3 {
			if _, err := audit.ProveRecord(1, int64(first-1), edge, lines); err == nil {
				t.Fatal("a proof of what was archived")
			}
		}
	}
}

// TestArchivedRecord proves a record that only an archive has, in the newest log: by the archive's checkpoint.
func TestArchivedRecord(t *testing.T) {
	const size, cut, seq = 33, 21, 6
	l := newLog(t, size)
	archive, from, newest := l.part(t, 0, cut), l.checkpoint(t, cut), l.head(size)

	// The keeper: the lines of the archive are those that begin with a brace.
	var lines [][]byte
	for line := range strings.Lines(string(archive)) {
		if line[0] == '{' {
			lines = append(lines, []byte(line[:len(line)-1]))
		}
	}
	old := &log{lines: lines}
	inArchive, err := audit.ProveRecord(seq, cut, audit.Tree{}, old.read)
	if err != nil {
		t.Fatal(err)
	}
	toNewest, err := audit.ProveConsistent(cut, size, l.edge(cut), l.kept(cut))
	if err != nil {
		t.Fatal(err)
	}

	// Whoever is shown them, with the newest head.
	h, err := audit.ParseCheckpoint(from, l.verifier)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(audit.CheckRecord(l.lines[seq], seq, h, inArchive), audit.CheckConsistent(h, newest, toNewest)); err != nil {
		t.Error(err)
	}
}
