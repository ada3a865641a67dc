// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyward-go/keyward/audit"
)

// mutate changes bytes: edit, drop, insert, double, swap, cut, cut and append.
func mutate(rng *rand.Rand, in []byte) []byte {
	out := append([]byte(nil), in...)
	if len(out) == 0 {
		return []byte{byte(rng.IntN(256))}
	}
	i := rng.IntN(len(out))
	j := i + rng.IntN(min(len(out)-i, 40)) + 1
	part := append([]byte(nil), out[i:j]...)
	switch rng.IntN(9) {
	case 0:
		out[i] ^= 1 << rng.IntN(8)
	case 1:
		out[i] = in[rng.IntN(len(in))]
	case 2:
		out = append(out[:i], out[j:]...)
	case 3:
		out = append(out[:i], append([]byte{byte(rng.IntN(256))}, out[i:]...)...)
	case 4:
		out = append(out[:i], append(part, out[i:]...)...)
	case 5:
		k := rng.IntN(len(out))
		out[i], out[k] = out[k], out[i]
	case 6:
		out = out[:i]
	case 7:
		out = append(out[:i], part...)
		out = append(out, in[rng.IntN(len(in)):]...)
	case 8:
		out = append(out, part...)
	}
	return out
}

// mutateLines changes a log as a keeper would: whole records edited, dropped, inserted, doubled, reordered, cut, cut
// and continued. Half of the time it numbers the records anew, so that only the tree can tell.
func mutateLines(rng *rand.Rand, in [][]byte) [][]byte {
	out := append([][]byte(nil), in...)
	other := record(rng.Int64N(int64(len(in))))
	other.Reason = "never happened"
	forged := []byte(other.String())
	i, j := rng.IntN(len(out)), rng.IntN(len(out))
	switch rng.IntN(7) {
	case 0:
		out[i] = mutate(rng, out[i])
	case 1:
		out = append(out[:i], out[i+1:]...)
	case 2:
		out = append(out[:i], append([][]byte{forged}, out[i:]...)...)
	case 3:
		out = append(out[:i], append([][]byte{out[j]}, out[i:]...)...)
	case 4:
		out[i], out[j] = out[j], out[i]
	case 5:
		out = out[:i]
	case 6:
		for k := i; k < len(out); k++ {
			out[k] = forged
		}
	}
	if rng.IntN(2) == 0 {
		for k, line := range out {
			if r, err := audit.ParseRecord(line); err == nil {
				r.Seq = int64(k)
				out[k] = []byte(r.String())
			}
		}
	}
	return out
}

// evidence is what a keeper hands over. Key is the one that it would like to be checked with.
type evidence struct {
	export []byte
	key    string
}

// undetected counts the evidence that verify accepts although it is not the original.
func undetected(verify func(evidence) bool, original []byte, all []evidence) (n int) {
	for _, e := range all {
		if !bytes.Equal(e.export, original) && verify(e) {
			n++
		}
	}
	return n
}

// rounds is 2,500 mutations of each kind, 1,000 under -short.
func rounds() int {
	if testing.Short() {
		return 1000
	}
	return 2500
}

func TestMutatedProofs(t *testing.T) {
	const size, seq, old = 37, 20, 13
	l := newLog(t, size)
	head := l.head(size)
	p, _ := audit.ProveRecord(seq, size, audit.Tree{}, l.read)
	proof, _ := p.MarshalText()
	q, _ := audit.ProveConsistent(old, size, audit.Tree{}, l.read)
	consistency, _ := q.MarshalText()
	checkpoint := l.checkpoint(t, size)

	for _, c := range []struct {
		name   string
		in     []byte
		accept func([]byte) bool
	}{
		{"record", l.lines[seq], func(b []byte) bool { return audit.CheckRecord(b, seq, head, p) == nil }},
		{"proof", proof, func(b []byte) bool {
			var p audit.Proof
			return p.UnmarshalText(b) == nil && audit.CheckRecord(l.lines[seq], seq, head, p) == nil
		}},
		{"consistency proof", consistency, func(b []byte) bool {
			var p audit.Proof
			return p.UnmarshalText(b) == nil && audit.CheckConsistent(l.head(old), head, p) == nil
		}},
		{"checkpoint", checkpoint, func(b []byte) bool { _, err := audit.ParseCheckpoint(b, l.verifier); return err == nil }},
		{"key", []byte(l.verifier), func(b []byte) bool {
			_, err := audit.ParseCheckpoint(checkpoint, string(b))
			return err == nil && !sameKey(t, string(b), l.verifier)
		}},
	} {
		if c.name != "key" && !c.accept(c.in) {
			t.Fatalf("%s: the original is refused", c.name)
		}
		rng := rand.New(rand.NewPCG(3, 4))
		for range rounds() {
			if bad := mutate(rng, c.in); !bytes.Equal(bad, c.in) && c.accept(bad) {
				t.Errorf("%s: undetected: %q", c.name, bad)
			}
		}
	}
}

// sameKey reports whether two spellings give one key: note reads hexadecimal in both cases and skips newlines.
func sameKey(t *testing.T, a, b string) bool {
	clean := strings.NewReplacer("\n", "", "\r", "")
	x, err := note.NewVerifier(a)
	return err == nil && x.KeyHash() != 0 && strings.EqualFold(clean.Replace(a), b)
}

func TestMutatedExports(t *testing.T) {
	const size, kept = 48, 30
	l := newLog(t, size)
	original := l.export(t)
	earlier := l.checkpoint(t, kept)
	covered, checkpoint := l.head(kept), l.checkpoint(t, size)
	forger, forgerKey := keys(origin, 8)
	rng := rand.New(rand.NewPCG(5, 6))

	var bytewise, recordwise, foreign, keeper []evidence
	for range rounds() {
		lines := mutateLines(rng, l.lines)
		bytewise = append(bytewise, evidence{mutate(rng, original), l.verifier})
		recordwise = append(recordwise, evidence{bundle(checkpoint, lines), l.verifier})
		foreign = append(foreign, evidence{bundle(sign(t, headOf(lines), forger), lines), forgerKey})
		// With the signing key the keeper can change what no earlier checkpoint covers, and no more.
		for len(lines) >= kept && headOf(lines[:kept]) == covered {
			lines = mutateLines(rng, l.lines)
		}
		keeper = append(keeper, evidence{bundle(sign(t, headOf(lines), l.signer), lines), l.verifier})
	}
	real := func(earlier ...[]byte) func(evidence) bool {
		return func(e evidence) bool {
			_, err := audit.Verify(bytes.NewReader(e.export), l.verifier, earlier...)
			return err == nil
		}
	}
	if !real(earlier)(evidence{original, ""}) {
		t.Fatal("the original is refused")
	}
	for _, c := range []struct {
		name   string
		verify func(evidence) bool
		all    []evidence
	}{
		{"bytes", real(), bytewise}, {"records", real(), recordwise}, {"signed by another key", real(), foreign},
		{"signed again by the keeper", real(earlier), keeper},
	} {
		if n := undetected(c.verify, original, c.all); n != 0 {
			t.Errorf("%s: %d of %d undetected", c.name, n, len(c.all))
		} else {
			t.Logf("%s: %d of %d believed", c.name, n, len(c.all))
		}
	}

	// The harness must find verifiers that are broken in the usual ways.
	for _, c := range []struct {
		name   string
		verify func(evidence) bool
		all    []evidence
	}{
		{"skips the root", func(e evidence) bool { return verifyWithoutRoot(e.export, l.verifier) }, recordwise},
		{"trusts the key that came along", func(e evidence) bool {
			_, err := audit.Verify(bytes.NewReader(e.export), e.key)
			return err == nil
		}, foreign},
		{"forgets the earlier checkpoint", real(), keeper},
	} {
		if n := undetected(c.verify, original, c.all); n == 0 {
			t.Errorf("the harness does not find a verifier that %s", c.name)
		} else {
			t.Logf("a verifier that %s: %d of %d believed", c.name, n, len(c.all))
		}
	}
}

// mutateEdge writes another edge before the lines that begin at first: of another size or log, with hashes changed, swapped
// or left out, or none.
func mutateEdge(rng *rand.Rand, l *log, first int) []byte {
	good, _ := l.edge(first).MarshalBinary()
	raw := append([]byte(nil), good...)
	i, j := 8+rng.IntN(len(raw)-8), 8+rng.IntN(len(raw)-8)
	switch rng.IntN(6) {
	case 0:
		return nil
	case 1:
		raw[i] ^= 1 << rng.IntN(8)
	case 2:
		raw[i], raw[j] = raw[j], raw[i]
	case 3:
		binary.BigEndian.PutUint64(raw, rng.Uint64()>>rng.IntN(64))
	case 4:
		raw, _ = l.edge(rng.IntN(len(l.lines))).MarshalBinary()
	case 5:
		raw = mutate(rng, raw)
	}
	if bytes.Equal(raw, good) {
		raw[8] ^= 1
	}
	return append(base64.RawStdEncoding.AppendEncode([]byte("edge "), raw), '\n')
}

// TestMutatedParts mutates an export that begins at a cut. Its reader kept the checkpoint of the archive and one behind it.
func TestMutatedParts(t *testing.T) {
	const size, kept, first = 48, 30, 21
	l := newLog(t, size)
	original := l.part(t, first, size)
	from, earlier, checkpoint := l.checkpoint(t, first), l.checkpoint(t, kept), l.checkpoint(t, size)
	edge, covered := edgeLine(l.edge(first)), l.head(kept)
	rng := rand.New(rand.NewPCG(9, 10))
	part := func(checkpoint, edge []byte, lines [][]byte) evidence {
		text := bundle(checkpoint, lines)
		at := len(checkpoint) + 1
		return evidence{append(append(append([]byte(nil), text[:at]...), edge...), text[at:]...), l.verifier}
	}
	if !bytes.Equal(part(checkpoint, edge, l.lines[first:]).export, original) {
		t.Fatal("the parts do not make up the original")
	}
	var bytewise, edges, records, keeper, prefixes []evidence
	for range rounds() {
		bytewise = append(bytewise, evidence{mutate(rng, original), l.verifier})
		edges = append(edges, part(checkpoint, mutateEdge(rng, l, first), l.lines[first:]))
		changed := mutateLines(rng, l.lines[first:])
		if rng.IntN(20) == 0 {
			changed = append(append([][]byte(nil), l.lines[first:size-1]...), mutate(rng, l.lines[size-1]))
		}
		records = append(records, part(checkpoint, edge, changed))
		// With the signing key: another past, or what follows it, under a true edge of it.
		lines := mutateLines(rng, l.lines)
		for len(lines) >= kept && headOf(lines[:kept]) == covered {
			lines = mutateLines(rng, l.lines)
		}
		cut := min(first, len(lines))
		forged := &log{lines, l.signer, l.verifier}
		keeper = append(keeper, part(sign(t, headOf(lines), l.signer), edgeLine(forged.edge(cut)), lines[cut:]))
		// The whole log, with its beginning left out: true as far as it goes.
		cut = 1 + rng.IntN(size)
		prefixes = append(prefixes, part(checkpoint, edgeLine(l.edge(cut)), l.lines[cut:]))
	}
	real := func(from []byte) func(evidence) bool {
		return func(e evidence) bool {
			_, err := audit.VerifyFrom(from, bytes.NewReader(e.export), l.verifier, earlier)
			return err == nil
		}
	}
	if !real(from)(evidence{original, ""}) {
		t.Fatal("the original is refused")
	}
	for _, c := range []struct {
		name   string
		verify func(evidence) bool
		all    []evidence
	}{
		{"bytes", real(from), bytewise}, {"edges", real(from), edges}, {"records", real(from), records},
		{"signed again by the keeper", real(from), keeper}, {"beginnings left out", real(nil), prefixes},
	} {
		if n := undetected(c.verify, original, c.all); n != 0 {
			t.Errorf("%s: %d of %d undetected", c.name, n, len(c.all))
		}
	}
	for _, c := range []struct {
		name   string
		verify func(evidence) bool
		all    []evidence
	}{
		{"takes the edge at its word", func(e evidence) bool { return verifyAtItsWord(t, l, e.export) }, prefixes},
		{"takes the edge at its word, and has forgotten the checkpoints", func(e evidence) bool { return verifyAtItsWord(t, l, e.export) }, keeper},
		{"does not hash the last line", func(e evidence) bool { return verifyAllButLast(e.export, l, first) }, records},
	} {
		if n := undetected(c.verify, original, c.all); n == 0 {
			t.Errorf("the harness does not find a verifier that %s", c.name)
		} else {
			t.Logf("a verifier that %s: %d of %d undetected", c.name, n, len(c.all))
		}
	}
}

// verifyAtItsWord is a seeded bug: it begins wherever the export says that it begins.
func verifyAtItsWord(t testing.TB, l *log, export []byte) bool {
	var edge audit.Tree
	for line := range strings.Lines(string(export)) {
		if text, ok := strings.CutPrefix(line, "edge "); ok && edge.UnmarshalText([]byte(strings.TrimSpace(text))) != nil {
			return false
		}
	}
	var from []byte
	if edge != (audit.Tree{}) {
		from = sign(t, edge.Head(), l.signer)
	}
	_, err := audit.VerifyFrom(from, bytes.NewReader(export), l.verifier)
	return err == nil
}

// verifyAllButLast is a seeded bug: the last line is counted, and not hashed. It has the root behind the others from l.
func verifyAllButLast(export []byte, l *log, first int) bool {
	parts := strings.SplitN(string(export), "\n\n", 3)
	if len(parts) != 3 {
		return false
	}
	head, err := audit.ParseCheckpoint([]byte(parts[0]+"\n\n"+parts[1]+"\n"), l.verifier)
	if err != nil {
		return false
	}
	tree, seq := l.edge(first), int64(first)
	for line := range strings.Lines(parts[2]) {
		if strings.HasPrefix(line, "edge ") {
			continue
		}
		if !strings.HasPrefix(line, fmt.Sprintf(`{"seq":%d,`, seq)) {
			return false
		}
		if seq++; seq < head.Size {
			tree.Append([]byte(strings.TrimSuffix(line, "\n")))
		}
	}
	return seq == head.Size && tree == l.edge(len(l.lines)-1)
}

// verifyWithoutRoot is a seeded bug: signature, count and numbers are checked, the root is not.
func verifyWithoutRoot(export []byte, key string) bool {
	parts := strings.SplitN(string(export), "\n\n", 3)
	if len(parts) != 3 {
		return false
	}
	head, err := audit.ParseCheckpoint([]byte(parts[0]+"\n\n"+parts[1]+"\n"), key)
	if err != nil {
		return false
	}
	seq := int64(0)
	for line := range strings.Lines(parts[2]) {
		r, err := audit.ParseRecord([]byte(strings.TrimSuffix(line, "\n")))
		if err != nil || r.Seq != seq {
			return false
		}
		seq++
	}
	return seq == head.Size
}
