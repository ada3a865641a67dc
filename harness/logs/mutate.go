// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"bytes"
	"math/rand/v2"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyward-go/keyward/audit"
)

const (
	whole = "whole"
	part  = "cut"
)

// The kinds of mutations.
const (
	bytesChanged = "bytes"
	linesChanged = "lines"
	forks        = "forks"
	anotherKey   = "another key"
	edges        = "edges"
)

// mutator makes exports that are not the true ones.
type mutator struct {
	log         *log
	rng         *rand.Rand
	whole, part []byte
}

// next makes one, and says of what kind it is and which export it passes for.
func (m *mutator) next() (kind string, export []byte, of string, err error) {
	of, good := whole, m.whole
	if m.rng.IntN(2) == 0 {
		of, good = part, m.part
	}
	switch m.rng.IntN(5) {
	case 0:
		return bytesChanged, m.bytes(good), of, nil
	case 1: // whole lines, of checkpoint and edge too
		lines := bytes.SplitAfter(good, []byte("\n"))
		return linesChanged, bytes.Join(m.lines(lines), nil), of, nil
	case 2: // with the signing key, against a checkpoint that the reader kept
		forged := m.fork()
		export, err = forged.export(forged.begin(of))
		return forks, export, of, err
	case 3: // with another key of the same name
		other := &log{lines: m.log.lines}
		if other.signer, other.verifier, err = note.GenerateKey(seeded{m.rng}, origin); err == nil {
			export, err = other.export(other.begin(of))
		}
		return anotherKey, export, of, err
	default: // true lines behind the edge of another place or log
		l := m.log
		if m.rng.IntN(2) == 0 {
			l = m.fork()
		}
		at := 1 + m.rng.IntN(min(len(l.lines), size-1))
		if of == part && at == cut && l == m.log {
			at++
		}
		export, err = m.log.export(l.tree(min(at, len(l.lines))))
		return edges, export, of, err
	}
}

func (l *log) begin(of string) audit.Tree {
	if of == whole {
		return audit.Tree{}
	}
	return l.tree(min(cut, len(l.lines)))
}

// fork is a log that differs in what the reader's checkpoint covers.
func (m *mutator) fork() *log {
	covered := m.log.tree(kept)
	for {
		f := &log{m.lines(m.log.lines), m.log.signer, m.log.verifier}
		if len(f.lines) > 0 && (len(f.lines) < kept || f.tree(kept) != covered) {
			return f
		}
	}
}

// lines edits, drops, doubles, swaps, inserts, cuts, or cuts and continues.
func (m *mutator) lines(in [][]byte) [][]byte {
	out := append([][]byte(nil), in...)
	i, j := m.rng.IntN(len(out)), m.rng.IntN(len(out))
	switch m.rng.IntN(7) {
	case 0:
		out[i] = m.bytes(out[i])
	case 1:
		out = append(out[:i], out[i+1:]...)
	case 2:
		out = append(out[:i], append([][]byte{in[i]}, out[i:]...)...)
	case 3:
		out[i], out[j] = out[j], out[i]
	case 4:
		out = append(out[:i], append([][]byte{m.bytes(in[j])}, out[i:]...)...)
	case 5:
		out = out[:i]
	case 6:
		for k := i; k < len(out); k++ {
			out[k] = m.bytes(out[k])
		}
	}
	return out
}

// bytes changes, drops, doubles, swaps, inserts or cuts some.
func (m *mutator) bytes(in []byte) []byte {
	out := append([]byte(nil), in...)
	if len(out) == 0 {
		return []byte{byte(m.rng.IntN(256))}
	}
	i := m.rng.IntN(len(out))
	j := i + 1 + m.rng.IntN(min(len(out)-i, 40))
	k := m.rng.IntN(len(out))
	switch m.rng.IntN(6) {
	case 0:
		out[i] ^= 1 << m.rng.IntN(8)
	case 1:
		out = append(out[:i], out[j:]...)
	case 2:
		out = append(out[:j], in[i:]...)
	case 3:
		out[i], out[k] = out[k], out[i]
	case 4:
		out = append(out[:i], append([]byte{byte(m.rng.IntN(256))}, in[i:]...)...)
	case 5:
		out = out[:i]
	}
	return out
}

// seeded reads random bytes from a seeded source.
type seeded struct{ rng *rand.Rand }

func (z seeded) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(z.rng.IntN(256))
	}
	return len(b), nil
}
