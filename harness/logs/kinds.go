// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"bytes"
	crand "crypto/rand"
	"math/rand/v2"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyward-go/keyward/audit"
)

// kind is a way to change a log. It always changes something.
type kind struct {
	name   string
	mutate func(*log, *rand.Rand) evidence
}

// kinds are those of who cannot sign, then those of who has the key.
var kinds = []kind{
	{"edited byte", func(l *log, rng *rand.Rand) evidence {
		e := l.either(rng)
		e.export = otherByte(e.export, rng.IntN(len(e.export)), rng)
		return e
	}},
	{"dropped", lines(func(in [][]byte, i, _ int) [][]byte { return slices.Delete(in, i, i+1) })},
	{"doubled", lines(func(in [][]byte, i, _ int) [][]byte { return slices.Insert(in, i, in[i]) })},
	{"swapped", lines(func(in [][]byte, i, j int) [][]byte { in[i], in[j] = in[j], in[i]; return in })},
	{"inserted", lines(func(in [][]byte, i, j int) [][]byte { return slices.Insert(in, i, forged(in[j])) })},
	{"moved", lines(func(in [][]byte, i, j int) [][]byte {
		line := in[i]
		return slices.Insert(slices.Delete(in, i, i+1), j, line)
	})},
	{"cut", lines(func(in [][]byte, i, _ int) [][]byte { return in[:i] })},
	{"cut and continued", lines(func(in [][]byte, i, _ int) [][]byte {
		for k := i; k < len(in); k++ {
			in[k] = forged(in[k])
		}
		return in
	})},
	{"reordered", lines(func(in [][]byte, i, j int) [][]byte { slices.Reverse(in[min(i, j) : max(i, j)+1]); return in })},
	{"cut at a byte", func(l *log, rng *rand.Rand) evidence {
		e := l.either(rng)
		e.export = e.export[:rng.IntN(len(e.export))]
		return e
	}},
	{"signed by another key", func(l *log, rng *rand.Rand) evidence {
		signer, _, err := note.GenerateKey(crand.Reader, l.origin)
		if err != nil {
			panic(err) // the origin is a good name
		}
		changed := l.changed(rng, 0)
		return evidence{bundle(l.signBy(changed, signer), nil, changed), nil}
	}},
	{"edited checkpoint", func(l *log, rng *rand.Rand) evidence {
		e := l.either(rng)
		e.export = otherByte(e.export, rng.IntN(bytes.Index(e.export, []byte("{"))), rng)
		return e
	}},
	{"older checkpoint", func(l *log, rng *rand.Rand) evidence {
		n := rng.IntN(len(l.lines))
		if rng.IntN(2) == 0 {
			n = rng.IntN(kept) // a whole and true log, shorter than what the verifier has seen
			return evidence{bundle(l.sign(l.lines[:n]), nil, l.lines[:n]), nil}
		}
		return evidence{bundle(l.sign(l.lines[:n]), nil, l.lines), nil}
	}},
	{"edited edge", func(l *log, rng *rand.Rand) evidence {
		edge := edgeLine(treeOf(l.lines[:cut]))
		edge = otherByte(edge, len("edge ")+rng.IntN(len(edge)-len("edge ")), rng)
		return evidence{bundle(l.sign(l.lines), edge, l.lines[cut:]), l.sign(l.lines[:cut])}
	}},
	{"edge of another log", func(l *log, rng *rand.Rand) evidence {
		past := l.changed(rng, 0)
		past = append(past[:min(cut, len(past))], l.lines[min(cut, len(past)):]...)
		for slices.EqualFunc(past[:cut], l.lines[:cut], bytes.Equal) {
			past[rng.IntN(cut)] = forged(past[0])
		}
		return evidence{bundle(l.sign(past), edgeLine(treeOf(past[:cut])), past[cut:]), l.sign(l.lines[:cut])}
	}},
	{"beginning left out", func(l *log, rng *rand.Rand) evidence {
		n := 1 + rng.IntN(len(l.lines)-1)
		e := evidence{bundle(l.sign(l.lines), edgeLine(treeOf(l.lines[:n])), l.lines[n:]), nil}
		if n != cut && rng.IntN(2) == 0 {
			e.from = l.sign(l.lines[:cut])
		}
		return e
	}},
	{"fork", func(l *log, rng *rand.Rand) evidence { // with the right key, against the earlier checkpoint
		changed := l.changed(rng, kept)
		return evidence{bundle(l.sign(changed), nil, changed), nil}
	}},
}

// lines is a mutation of whole records under the true checkpoint. Half of the time they are numbered anew, so that only the
// tree can tell.
func lines(f func(in [][]byte, i, j int) [][]byte) func(*log, *rand.Rand) evidence {
	return func(l *log, rng *rand.Rand) evidence {
		for {
			i, j := rng.IntN(len(l.lines)-1), rng.IntN(len(l.lines)-1)
			out := f(slices.Clone(l.lines), i, j)
			if rng.IntN(2) == 0 {
				renumber(out)
			}
			if !slices.EqualFunc(out, l.lines, bytes.Equal) {
				return evidence{bundle(l.sign(l.lines), nil, out), nil}
			}
		}
	}
}

// changed is the log rewritten by who can sign: another one, within its first records if before is not zero.
func (l *log) changed(rng *rand.Rand, before int) [][]byte {
	end := before
	if end == 0 {
		end = len(l.lines)
	}
	for {
		out := slices.Clone(l.lines)
		i, j := rng.IntN(end), rng.IntN(end)
		switch rng.IntN(5) {
		case 0:
			out[i] = forged(out[i])
		case 1:
			out = slices.Delete(out, i, i+1)
		case 2:
			out = slices.Insert(out, i, forged(out[j]))
		case 3:
			out[i], out[j] = out[j], out[i]
		case 4:
			out = out[:i]
		}
		renumber(out)
		if !slices.EqualFunc(out, l.lines, bytes.Equal) {
			return out
		}
	}
}

func renumber(lines [][]byte) {
	for k, line := range lines {
		if r, err := audit.ParseRecord(line); err == nil {
			r.Seq = int64(k)
			lines[k] = []byte(r.String())
		}
	}
}

// forged is a record that never was.
func forged(line []byte) []byte {
	r, err := audit.ParseRecord(line)
	if err != nil {
		panic(err) // lines are those of a vault, or forged here
	}
	r.Reason = "never happened"
	return []byte(r.String())
}

func otherByte(in []byte, i int, rng *rand.Rand) []byte {
	out := bytes.Clone(in)
	out[i] ^= byte(1 + rng.IntN(255))
	return out
}

func (l *log) either(rng *rand.Rand) evidence {
	if rng.IntN(2) == 0 {
		return l.part()
	}
	return l.whole()
}
