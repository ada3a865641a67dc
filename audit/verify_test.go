// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/keyward-go/keyward/audit"
)

// bundle lays lines out as an export, whatever the checkpoint says.
func bundle(checkpoint []byte, lines [][]byte) []byte {
	out := append(append([]byte(nil), checkpoint...), '\n')
	for _, line := range lines {
		out = append(append(out, line...), '\n')
	}
	return out
}

func TestVerify(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 64, 100, 2500} {
		l := newLog(t, size)
		export := l.export(t)
		earlier := [][]byte{l.checkpoint(t, size), l.checkpoint(t, size/2), l.checkpoint(t, 0), l.checkpoint(t, size/3), l.checkpoint(t, size/2)}
		for _, in := range []io.Reader{bytes.NewReader(export), iotest.OneByteReader(bytes.NewReader(export)), iotest.DataErrReader(bytes.NewReader(export))} {
			h, err := audit.Verify(in, l.verifier, earlier...)
			if err != nil || h != l.head(size) {
				t.Fatalf("size %d: %v %v", size, h, err)
			}
		}
	}
}

// TestVerifyFinds names each way to lie, and the record that the error must name.
func TestVerifyFinds(t *testing.T) {
	l := newLog(t, 40)
	forger, _ := keys(origin, 8)
	old := [][]byte{l.checkpoint(t, 10), l.checkpoint(t, 30)}
	false1 := record(35)
	false1.Reason = "canary-line"
	forged := []byte(false1.String())
	replaced := func(at int, line []byte) [][]byte {
		lines := append([][]byte(nil), l.lines...)
		lines[at] = line
		return lines
	}
	resigned := func(lines [][]byte) []byte { return bundle(sign(t, headOf(lines), l.signer), lines) }
	early := record(3)
	early.Reason = "canary-line"
	good := l.checkpoint(t, 40)
	cutAppend := append(append([][]byte(nil), l.lines[:35]...), forged)
	long := record(40)
	long.Reason = strings.Repeat("canary-line ", 2000)
	archive := append([]byte(nil), bundle(good, l.lines)...)

	for _, c := range []struct {
		why     string
		export  []byte
		earlier [][]byte
		seq     int64
	}{
		{"edited", bundle(good, replaced(35, forged)), nil, 0},
		{"edited, with earlier checkpoints", bundle(good, replaced(35, forged)), old, 30},
		{"edited and signed again by the keeper", resigned(replaced(3, []byte(early.String()))), old, 0},
		{"edited between two checkpoints and signed again", resigned(replaced(13, []byte(strings.Replace(string(l.lines[13]), "production", "staging", 1)))), old, 10},
		{"cut", bundle(good, l.lines[:39]), nil, 39},
		{"cut and signed again", resigned(l.lines[:29]), old, 29},
		{"cut, appended and signed again", resigned(append(append([][]byte(nil), l.lines[:29]...), []byte(record(29).String()[:20]+"}"))), old, 10},
		{"cut and appended", bundle(good, cutAppend), nil, 36},
		{"dropped", bundle(good, append(append([][]byte(nil), l.lines[:5]...), l.lines[6:]...)), nil, 5},
		{"swapped", bundle(good, append(append(append([][]byte(nil), l.lines[:5]...), l.lines[6], l.lines[5]), l.lines[7:]...)), nil, 5},
		{"doubled", bundle(good, append(append(append([][]byte(nil), l.lines[:5]...), l.lines[4]), l.lines[5:]...)), nil, 5},
		{"appended", bundle(good, append(append([][]byte(nil), l.lines...), []byte(record(40).String()))), nil, 40},
		{"blank line behind", append(bundle(good, l.lines), '\n'), nil, 40},
		{"unknown part behind (archives are not known yet)", append(archive, "hashes\n"...), nil, 40},
		{"later start (archives are not known yet)", bundle(good, l.lines[5:]), nil, 0},
		{"last newline cut", bytes.TrimSuffix(bundle(good, l.lines), []byte("\n")), nil, 39},
		{"long line", bundle(good, append(append([][]byte(nil), l.lines...), []byte(long.String()))), nil, 40},
		{"long line that was signed", resigned(append(append([][]byte(nil), l.lines...), []byte(long.String()))), nil, 40},
		{"line beyond the buffer", bundle(good, [][]byte{bytes.Repeat([]byte("x"), 1<<20)}), nil, 0},
		{"carriage returns", bytes.ReplaceAll(bundle(good, l.lines), []byte("}\n"), []byte("}\r\n")), nil, 0},
		{"other key", bundle(sign(t, l.head(40), forger), l.lines), nil, -1},
		{"checkpoint of another size", bundle(l.checkpoint(t, 39), l.lines), nil, 39},
		{"nothing", nil, nil, -1},
		{"checkpoint only", good, nil, -1},
		{"endless checkpoint", bytes.Repeat([]byte("x\n"), 1<<17), nil, -1},
		{"endless line", bytes.Repeat([]byte("x"), 1<<17), nil, -1},
		{"earlier checkpoint forged", bundle(good, l.lines), [][]byte{sign(t, l.head(10), forger)}, -1},
		{"earlier checkpoint is larger", bundle(l.checkpoint(t, 20), l.lines[:20]), old, 20},
		{"fork", bundle(good, l.lines), [][]byte{sign(t, headOf(replaced(39, forged)), l.signer)}, 0},
	} {
		h, err := audit.Verify(bytes.NewReader(c.export), l.verifier, c.earlier...)
		var tampered *audit.TamperError
		if !errors.As(err, &tampered) || h != (audit.Head{}) {
			t.Errorf("%s: %v, %v", c.why, h, err)
			continue
		}
		if tampered.Seq != c.seq {
			t.Errorf("%s: %v, want record %d", c.why, err, c.seq)
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error quotes a line: %v", c.why, err)
		}
	}
}

func TestVerifyReader(t *testing.T) {
	l := newLog(t, 40)
	failure := errors.New("disk is gone")
	export := l.export(t)
	for _, n := range []int{0, 10, 200, 2000, len(export)} {
		in := io.MultiReader(bytes.NewReader(export[:n]), iotest.ErrReader(failure))
		if _, err := audit.Verify(in, l.verifier); !errors.Is(err, failure) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	var tampered *audit.TamperError
	if _, err := audit.Verify(bytes.NewReader(export), "no key"); err == nil || errors.As(err, &tampered) {
		t.Errorf("bad key: %v", err)
	}
}

// TestVerifyMemory: what Verify allocates does not grow with the export.
func TestVerifyMemory(t *testing.T) {
	allocated := func(size int) float64 {
		l := newLog(t, size)
		export := l.export(t)
		return testing.AllocsPerRun(3, func() {
			if _, err := audit.Verify(bytes.NewReader(export), l.verifier); err != nil {
				t.Fatal(err)
			}
		})
	}
	if small, large := allocated(10), allocated(10_000); large > small+5 {
		t.Errorf("%v allocations for 10 records, %v for 10,000", small, large)
	}
}

func TestWriteExport(t *testing.T) {
	l := newLog(t, 3)
	failure := errors.New("disk is full")
	if err := audit.WriteExport(failingWriter{failure}, l.checkpoint(t, 3), audit.Tree{}, 3, l.read); !errors.Is(err, failure) {
		t.Error(err)
	}
	if err := audit.WriteExport(io.Discard, l.checkpoint(t, 3), audit.Tree{}, 4, l.read); err == nil {
		t.Error("a log shorter than the size was exported")
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
