// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math/bits"
	"strings"
	"time"
)

// state is every deciding row of the vault, at one head of its log. The committer alone writes it, under Vault.mu;
// callers read it under that lock.
type state struct {
	head   head
	rows   map[rowKey]entry
	sum    sum                 // of the keyed hashes of all rows
	folded map[string]string   // lower-case path → the path as it is written
	byHash map[[32]byte]string // hash of an agent or operator key → its id
	frozen map[rowKey]Frozen   // freezes that are not thawed
}

type entry struct {
	row   any
	seq   int64
	mac   sum
	dirty bool // written by the running batch: mac is yet to come
}

func newState() *state {
	return &state{
		rows: map[rowKey]entry{}, folded: map[string]string{}, byHash: map[[32]byte]string{}, frozen: map[rowKey]Frozen{},
	}
}

// set puts a row in place of the one before it, and keeps the sum and the indexes up.
func (s *state) set(k rowKey, e entry) {
	if old, ok := s.rows[k]; ok {
		s.sum.sub(old.mac)
	}
	s.sum.add(e.mac)
	s.rows[k] = e
	switch r := e.row.(type) {
	case *secretRow:
		s.folded[strings.ToLower(k.name)] = k.name
	case *keyRow:
		s.byHash[r.Hash] = k.name
	case *freezeRow:
		if r.Thawed {
			delete(s.frozen, k)
		} else {
			s.frozen[k] = frozenOf(k)
		}
	}
}

// staging is what a running batch has changed and not yet committed.
type staging struct {
	rows   map[rowKey]entry
	folded map[string]string
	byHash map[[32]byte]string
	frozen map[rowKey]bool // whether it is frozen
}

func (s *staging) reset() {
	if s.rows == nil {
		*s = staging{map[rowKey]entry{}, map[string]string{}, map[[32]byte]string{}, map[rowKey]bool{}}
	}
	clear(s.rows)
	clear(s.folded)
	clear(s.byHash)
	clear(s.frozen)
}

func (s *staging) set(k rowKey, e entry) {
	s.rows[k] = e
	switch r := e.row.(type) {
	case *secretRow:
		s.folded[strings.ToLower(k.name)] = k.name
	case *keyRow:
		s.byHash[r.Hash] = k.name
	case *freezeRow:
		s.frozen[k] = !r.Thawed
	}
}

// view is what a decision sees: the state, and over it what the running batch has changed.
type view struct {
	*state
	over   *staging // nil outside a batch
	now    time.Time
	behind bool // the wall clock is too far behind the log
	v      *Vault
}

func (w view) get(k rowKey) entry {
	if w.over != nil {
		if e, ok := w.over.rows[k]; ok {
			return e
		}
	}
	return w.rows[k]
}

func (w view) secret(path string) (*secretRow, int64) {
	e := w.get(rowKey{kind: 's', name: path})
	r, _ := e.row.(*secretRow)
	return r, e.seq
}

func (w view) version(path string, n int) (*versionRow, int64) {
	e := w.get(rowKey{'v', path, n})
	r, _ := e.row.(*versionRow)
	return r, e.seq
}

// token is the zero row while there is nothing to say about a link.
func (w view) token(id string) tokenRow {
	if r, ok := w.get(rowKey{kind: 't', name: id}).row.(*tokenRow); ok {
		return *r
	}
	return tokenRow{}
}

// key is the row of a link id that begins with "key:".
func (w view) key(id string) *keyRow {
	r, _ := w.get(keyRowKey(id)).row.(*keyRow)
	return r
}

func keyRowKey(id string) rowKey { return rowKey{kind: 'k', name: strings.TrimPrefix(id, keyPrefix)} }

// keyByHash finds the credential of an agent process or remote operator, and gives its link id.
func (w view) keyByHash(h [32]byte) string {
	name, ok := w.byHash[h]
	if w.over != nil && !ok {
		name, ok = w.over.byHash[h]
	}
	if !ok {
		return ""
	}
	return keyPrefix + name
}

// pathLike is the path that differs from the given new one by case alone, or "".
func (w view) pathLike(path string) string {
	lower := strings.ToLower(path)
	if twin := w.folded[lower]; twin != "" || w.over == nil {
		return twin
	}
	return w.over.folded[lower]
}

// freezes are those in force.
func (w view) freezes(yield func(Frozen) bool) {
	for k, f := range w.frozen {
		if w.over != nil {
			if _, staged := w.over.frozen[k]; staged {
				continue
			}
		}
		if !yield(f) {
			return
		}
	}
	if w.over != nil {
		for k, on := range w.over.frozen {
			if on && !yield(frozenOf(k)) {
				return
			}
		}
	}
	for _, k := range w.v.doomed.freezes() {
		if !yield(frozenOf(k)) {
			return
		}
	}
}

// sum is a number modulo 2²⁵⁶, lowest word first.
type sum [4]uint64

func (s *sum) add(t sum) {
	var c uint64
	for i := range s {
		s[i], c = bits.Add64(s[i], t[i], c)
	}
}

func (s *sum) sub(t sum) {
	var b uint64
	for i := range s {
		s[i], b = bits.Sub64(s[i], t[i], b)
	}
}

func (s sum) bytes() (b [32]byte) {
	for i, word := range s {
		binary.BigEndian.PutUint64(b[24-8*i:], word)
	}
	return b
}

// rowMAC is HMAC-SHA256 of key, sequence and data of a row, each length-prefixed. h is keyed and not shared.
func rowMAC(h hash.Hash, key string, seq int64, data []byte) (s sum) {
	var n [12]byte
	h.Reset()
	writePrefixed(h, []byte(key))
	binary.BigEndian.PutUint32(n[:], 8)
	binary.BigEndian.PutUint64(n[4:], uint64(seq))
	h.Write(n[:])
	writePrefixed(h, data)
	var out [32]byte
	h.Sum(out[:0])
	for i := range s {
		s[i] = binary.BigEndian.Uint64(out[24-8*i:])
	}
	return s
}

func writePrefixed(h hash.Hash, b []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(b)))
	h.Write(n[:])
	h.Write(b)
}

// vaultID names a vault: 16 random bytes, in every associated data, token and checkpoint.
type vaultID [16]byte

func (id vaultID) String() string { return hex.EncodeToString(id[:]) }

// origin is the name of the vault's log and of its key.
func (id vaultID) origin() string { return "keyward/" + id.String() }
