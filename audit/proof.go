// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"errors"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// Proof is the hashes that lead from a record, or from an earlier head, to a head: RFC 6962's audit path or
// consistency proof.
type Proof [][32]byte

// maxProof is more hashes than any proof for a log of maxSize has.
const maxProof = 64

// CheckRecord checks that line, without its newline, is record seq of the log that h is the head of. The head must
// come from a checkpoint. What does not hold is a *TamperError.
func CheckRecord(line []byte, seq int64, h Head, p Proof) error {
	if h.check() != nil || seq < 0 || seq >= h.Size {
		return &TamperError{seq, "the log of this head has no such record"}
	}
	if !hasSeq(line, seq) {
		return &TamperError{seq, "the line has another number"}
	}
	if tlog.CheckRecord(p.hashes(), h.Size, h.Root, seq, tlog.RecordHash(line)) != nil {
		return &TamperError{seq, "the proof does not lead from the line to the head"}
	}
	return nil
}

// CheckConsistent checks that the log that h is the head of begins with the whole log that old was the head of:
// nothing was edited, dropped or reordered between the two. What does not hold is a *TamperError. Two signed heads of
// one origin for which no proof holds are a fork.
func CheckConsistent(old, h Head, p Proof) error {
	switch {
	case old.check() != nil || h.check() != nil:
		return &TamperError{-1, errHead.Error()}
	case old.Size > h.Size:
		return &TamperError{h.Size, "the log is shorter than it was"}
	case old.Size == 0 && len(p) == 0:
		return nil // every log begins with the empty one
	case old.Size == 0 || tlog.CheckTree(p.hashes(), h.Size, h.Root, old.Size, old.Root) != nil:
		return &TamperError{0, "the proof does not lead from the old head to the new"}
	}
	return nil
}

func (p Proof) hashes() []tlog.Hash {
	hashes := make([]tlog.Hash, len(p))
	for i := range p {
		hashes[i] = p[i]
	}
	return hashes
}

func newProof(hashes []tlog.Hash) Proof {
	p := make(Proof, len(hashes))
	for i := range hashes {
		p[i] = hashes[i]
	}
	return p
}

// hasSeq reports whether the line begins with {"seq":N, where N is seq.
func hasSeq(line []byte, seq int64) bool {
	var buf [32]byte
	return bytes.HasPrefix(line, append(strconv.AppendInt(append(buf[:0], `{"seq":`...), seq, 10), ','))
}

// MarshalText returns one line of base64 a hash, each with its newline, as in a C2SP tlog-proof.
func (p Proof) MarshalText() ([]byte, error) {
	var text []byte
	for _, hash := range p {
		text = append(text, tlog.Hash(hash).String()...)
		text = append(text, '\n')
	}
	return text, nil
}

var errProof = errors.New("proof text is malformed")

// UnmarshalText reads what MarshalText wrote, and no other spelling. It leaves p as it is if there is an error.
func (p *Proof) UnmarshalText(text []byte) error {
	var q Proof
	for len(text) > 0 {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		hash, err := tlog.ParseHash(string(line))
		if !ok || err != nil || hash.String() != string(line) || len(q) == maxProof {
			return errProof
		}
		q = append(q, hash)
		text = rest
	}
	*p = q
	return nil
}
