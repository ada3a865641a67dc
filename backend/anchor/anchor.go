// SPDX-License-Identifier: Apache-2.0

// Package anchor keeps a vault's anchor in any vault.Store in another place: the size and root of the vault's log, moved on
// before anything is released. A vault that was put back as a whole to an older state, or copied and gone on with twice, is
// found by it; the vault alone cannot see either.
//
// It is worth what the other place is worth: another machine, under another's account, backed up apart. Whoever can write
// both stores can put back both. The anchor is neither secret nor sealed: it holds no path and no value, and a false one
// makes the vault refuse, since its log does not contain it.
//
// One store holds the anchors of many vaults, each under a name, and nothing else; a vault's own store is refused. It is
// written once a commit of the vault, and its fsync is waited for: a store far away makes each call of the vault that much
// slower. A store whose head file is lost is refused as its vault would be: put the head file back, or begin a new store.
//
// # Format 1
//
// The row "anchor:<name>" and the line of the log that wrote it hold the same text, one line of JSON without spaces:
//
//	{"anchor":"keyward/00112233445566778899aabbccddeeff","size":7,"root":"PBU0I1wkNQirkjWJ9/wMGQrzVKsf6jugBvIZjjfQyzw="}
//
// root is base64 of the 32 bytes. Each advance is one line, and drops all lines before it.
package anchor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

const (
	prefix  = "anchor:"
	maxName = 128
)

var grammar = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64})*$`)

// Anchor is one anchor in a store. Make one with In. It is safe for concurrent use, by many processes too if the store is.
type Anchor struct {
	store vault.Store
	name  string
}

var _ vault.Anchor = (*Anchor)(nil)

// In returns the anchor of that name in store, which stays the caller's: close it after the vault. The name is the origin
// of the vault's log, or one of your own: names of A-Z a-z 0-9 _ and - joined by "/", each of 1 to 64 bytes, at most 128
// in all. Any other is vault.ErrInvalid at each call. Two vaults must not share one.
func In(store vault.Store, name string) *Anchor { return &Anchor{store, name} }

// marker is a store with a head file. An anchor writes no marks; but if Mark fails the store may be an older one that was put
// here.
type marker interface {
	Mark(ctx context.Context) ([]byte, error)
}

// Load returns the head that was last anchored, or the zero Head if none ever was. A row that cannot be read is
// vault.ErrTampered. If the head file of the store is lost that is vault.ErrRollback, or vault.ErrTampered where it cannot be
// read.
func (a *Anchor) Load(ctx context.Context) (audit.Head, error) {
	h, err := a.load(ctx)
	if err != nil {
		return audit.Head{}, fmt.Errorf("load anchor %q: %w", a.name, err)
	}
	return h, nil
}

func (a *Anchor) load(ctx context.Context) (audit.Head, error) {
	if err := a.check(); err != nil {
		return audit.Head{}, err
	}
	if m, ok := a.store.(marker); ok {
		if _, err := m.Mark(ctx); err != nil {
			return audit.Head{}, err
		}
	}
	rows, err := a.store.Rows(ctx, prefix+a.name, 1)
	if err != nil || len(rows) == 0 || rows[0].Key != prefix+a.name {
		return audit.Head{}, err
	}
	return a.parse(rows[0].Data)
}

// Advance moves the anchor from one head to another, and returns nil when the store has it durably. If the anchor is
// not at from, that is vault.ErrConflict and nothing changed: Load tells where it is. The other head is a later one, but for
// vault.Restore, which may go back. One of no size, or of no change, is vault.ErrInvalid. A store that holds anything but anchors is vault.ErrInvalid too, or vault.ErrTampered where it
// has lost some. After any other error the outcome is open, as that of the store's Update.
func (a *Anchor) Advance(ctx context.Context, from, to audit.Head) error {
	if err := a.advance(ctx, from, to); err != nil {
		return fmt.Errorf("advance anchor %q to %d: %w", a.name, to.Size, err)
	}
	return nil
}

func (a *Anchor) advance(ctx context.Context, from, to audit.Head) error {
	if err := a.check(); err != nil {
		return err
	}
	if from.Size < 0 || to.Size < 1 || to == from {
		return fmt.Errorf("%w: from size %d to %d is no advance", vault.ErrInvalid, from.Size, to.Size)
	}
	asked, fits := false, false
	err := a.store.Update(ctx, 0, func(rows []vault.Row) (vault.Batch, error) {
		asked = true
		now, next, err := a.state(rows)
		if err != nil {
			return vault.Batch{}, err
		}
		if now != from {
			return vault.Batch{}, fmt.Errorf("%w: it is at size %d, not at %d, or has another root", vault.ErrConflict, now.Size, from.Size)
		}
		fits = true
		text := a.format(to)
		return vault.Batch{
			First: next, Lines: [][]byte{text}, Keep: next,
			Rows: []vault.Row{{Key: prefix + a.name, Seq: next, Data: bytes.Clone(text)}},
			Mark: bytes.Clone(text), // so that a store that was deleted is not taken for a new one
		}, nil
	})
	switch {
	case err == nil && !asked:
		return errors.New("the store did not call the function of its Update")
	case fits && errors.Is(err, vault.ErrConflict): // of the store: its number of lines is not what its rows say
		return fmt.Errorf("%w: the store has lines that none of its anchors wrote: %v", vault.ErrTampered, err)
	}
	return err
}

// state returns where the anchor is, and the number of the store's next line. Every line has written a row, and the row
// that the last one wrote is still there.
func (a *Anchor) state(rows []vault.Row) (now audit.Head, next int64, err error) {
	for _, r := range rows {
		if !strings.HasPrefix(r.Key, prefix) {
			return audit.Head{}, 0, fmt.Errorf("%w: the store holds other things than anchors; give it one of its own", vault.ErrInvalid)
		}
		if r.Key == prefix+a.name {
			if now, err = a.parse(r.Data); err != nil {
				return audit.Head{}, 0, err
			}
		}
		next = max(next, r.Seq+1)
	}
	return now, next, nil
}

func (a *Anchor) check() error {
	switch {
	case a == nil || a.store == nil:
		return fmt.Errorf("%w: no store", vault.ErrInvalid)
	case len(a.name) > maxName || !grammar.MatchString(a.name):
		return fmt.Errorf("%w: the name is not 1 to 64 of A-Z a-z 0-9 _ -, or some of these joined by /", vault.ErrInvalid)
	}
	return nil
}

// anchorJSON is the text of a row and line. The name in it finds a row that was copied to another's key.
type anchorJSON struct {
	Anchor string `json:"anchor"`
	Size   int64  `json:"size"`
	Root   []byte `json:"root"`
}

func (a *Anchor) format(h audit.Head) []byte {
	text, err := json.Marshal(anchorJSON{a.name, h.Size, h.Root[:]})
	if err != nil {
		panic("anchor: a string, a number and bytes can be encoded")
	}
	return text
}

// parse accepts what format writes, and nothing else.
func (a *Anchor) parse(text []byte) (audit.Head, error) {
	var j anchorJSON
	if err := json.Unmarshal(text, &j); err != nil || len(j.Root) != len(audit.Head{}.Root) || j.Size < 1 {
		return audit.Head{}, fmt.Errorf("%w: the row cannot be read", vault.ErrTampered)
	}
	h := audit.Head{Size: j.Size, Root: [32]byte(j.Root)}
	if !bytes.Equal(a.format(h), text) {
		return audit.Head{}, fmt.Errorf("%w: the row is another's, or not as it was written", vault.ErrTampered)
	}
	return h, nil
}
