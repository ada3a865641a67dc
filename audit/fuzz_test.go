// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"testing"

	"github.com/keyward-go/keyward/audit"
)

// seed adds the vectors of a kind and fails if there are none.
func seed(f *testing.F, kind string) {
	f.Helper()
	n := 0
	for _, v := range readVectors(f) {
		if v.header["kind"] == kind {
			f.Add(v.body)
			n++
		}
	}
	if n < 3 {
		f.Fatalf("%d seeds of kind %s", n, kind)
	}
}

// FuzzRecord: what is accepted has one spelling, and any text can be written and read.
func FuzzRecord(f *testing.F) {
	seed(f, "record")
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, err := audit.ParseRecord(line); err == nil {
			again, err := r.MarshalJSON()
			if err != nil || !bytes.Equal(again, line) {
				t.Fatalf("%q is written as %q (%v)", line, again, err)
			}
		}
		text := string(line)
		r := audit.Record{Outcome: audit.Denied, Op: text, Reason: text, Metadata: map[string]string{text: text, "a": "b"}}
		written, err := r.MarshalJSON()
		if err != nil {
			return // too long
		}
		back, err := audit.ParseRecord(written)
		if err != nil || back.String() != string(written) || len(back.Metadata[back.Op]) != len(back.Reason) {
			t.Fatalf("%q: %v", written, err)
		}
		if got := audit.EscapedLen(text); got != len(r.String())-len(func() string { r.Op = ""; return r.String() }()) {
			t.Fatalf("EscapedLen(%q) = %d", text, got)
		}
	})
}

// FuzzCheckpoint: what is accepted is what Sign writes, but for lines of other signers.
func FuzzCheckpoint(f *testing.F) {
	seed(f, "checkpoint")
	signer, verifier := keys(origin, 7)
	f.Fuzz(func(t *testing.T, checkpoint []byte) {
		h, err := audit.ParseCheckpoint(checkpoint, verifier)
		if err != nil {
			return
		}
		again := sign(t, h, signer)
		text, signature, _ := bytes.Cut(again, []byte("\n\n"))
		if !bytes.HasPrefix(checkpoint, append(text, "\n\n"...)) || bytes.Count(checkpoint, signature) != 1 {
			t.Fatalf("%q is accepted as %v", checkpoint, h)
		}
	})
}

// FuzzExport: nothing but an export that the key has signed is accepted.
func FuzzExport(f *testing.F) {
	seed(f, "export")
	signer, verifier := keys(origin, 7)
	f.Fuzz(func(t *testing.T, export []byte) {
		h, err := audit.Verify(bytes.NewReader(export), verifier)
		if err != nil {
			return
		}
		_, signature, _ := bytes.Cut(sign(t, h, signer), []byte("\n\n"))
		parts := bytes.SplitN(export, []byte("\n\n"), 3)
		var lines [][]byte
		if body := parts[len(parts)-1]; len(parts) == 3 && len(body) > 0 {
			lines = bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
		}
		if !bytes.Contains(export, signature) || headOf(lines) != h {
			t.Fatalf("%q is accepted as %v", export, h)
		}
	})
}

// FuzzText: proofs and trees have one spelling.
func FuzzText(f *testing.F) {
	l := newLog(f, 21)
	p, err := audit.ProveRecord(5, 21, audit.Tree{}, l.read)
	if err != nil {
		f.Fatal(err)
	}
	proof, _ := p.MarshalText()
	var tree audit.Tree
	for _, line := range l.lines {
		tree.Append(line)
	}
	edge, _ := tree.MarshalText()
	f.Add(proof)
	f.Add(edge)
	f.Fuzz(func(t *testing.T, text []byte) {
		var p audit.Proof
		if p.UnmarshalText(text) == nil {
			if again, _ := p.MarshalText(); !bytes.Equal(again, text) {
				t.Fatalf("proof %q is written as %q", text, again)
			}
		}
		var tree audit.Tree
		if tree.UnmarshalText(text) == nil {
			tree.Head()
			if again, _ := tree.MarshalText(); !bytes.Equal(again, text) {
				t.Fatalf("tree %q is written as %q", text, again)
			}
		}
	})
}
