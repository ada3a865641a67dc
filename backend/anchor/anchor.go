// SPDX-License-Identifier: Apache-2.0

// Package anchor keeps a vault's anchor in any vault.Store in another place: the size and root of the vault's log, moved on
// before anything is released. A vault that was put back as a whole to an older state, or copied and gone on with twice, is
// found by it; the vault alone cannot see either.
//
// It is worth what the other place is worth: another machine, under another's account, backed up apart. Whoever can write
// both stores can put back both. The anchor is neither secret nor sealed: it holds no path and no value, and a false one
// makes the vault refuse, since its log does not contain it.
//
// One store holds the anchors of many vaults, some hundreds, each under a name, and nothing else; a vault's own store is
// refused. It is written once a commit of the vault, and its fsync is waited for: a store far away makes each call of the
// vault that much slower.
//
// A store that is older than its head file (its last line was cut off or has rotted, its -wal was deleted, an old one was put
// back alone), or whose head file is lost, is refused as its vault would be, for all names: put the newest back, store and
// head file together, or begin new anchors in an empty store.
//
// # Format 1
//
// The row "anchor:<name>" and the line of the log that wrote it hold the same text, one line of JSON without spaces:
//
//	{"anchor":"keyward/00112233445566778899aabbccddeeff","size":7,"root":"PBU0I1wkNQirkjWJ9/wMGQrzVKsf6jugBvIZjjfQyzw="}
//
// root is base64 of the 32 bytes. Each advance is one line, and drops all lines before it.
//
// The mark, which a store with a head file keeps there, is the number of that line in decimal, a space, and the same text:
//
//	41 {"anchor":"keyward/00112233445566778899aabbccddeeff","size":7,"root":"PBU0I1wkNQirkjWJ9/wMGQrzVKsf6jugBvIZjjfQyzw="}
//
// The row of that anchor must have been written by that line, and then be that text, or by a later one. Sizes are not
// compared: a restore may go back. A head file without a mark fits a store of at most one line.
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

	pageRows = 1000
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

// Load returns the head that was last anchored, or the zero Head if none ever was. A row that cannot be read is
// vault.ErrTampered, a store that holds anything but anchors vault.ErrInvalid. A store that is older than its head file, or has
// lost it, is vault.ErrRollback, and vault.ErrTampered where the head file cannot be read.
func (a *Anchor) Load(ctx context.Context) (audit.Head, error) {
	h, err := a.load(ctx)
	if err != nil {
		return audit.Head{}, fmt.Errorf("load anchor %q: %w", a.name, err)
	}
	return h, nil
}

func (a *Anchor) load(ctx context.Context) (now audit.Head, err error) {
	if err := a.check(); err != nil {
		return audit.Head{}, err
	}
	err = a.withMark(ctx, func(mark []byte) error {
		rows, err := a.rows(ctx)
		if err != nil {
			return err
		}
		now, _, err = a.state(mark, rows)
		return err
	})
	return now, err
}

// rows returns all rows, or what there is up to the first page that ends with one that is no anchor's.
func (a *Anchor) rows(ctx context.Context) (all []vault.Row, err error) {
	for from := ""; ; from = all[len(all)-1].Key + "\x00" {
		page, err := a.store.Rows(ctx, from, pageRows)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < pageRows || !strings.HasPrefix(page[len(page)-1].Key, prefix) {
			return all, nil
		}
	}
}

// Advance moves the anchor from one head to another, and returns nil when the store has it durably. If the anchor is
// not at from, that is vault.ErrConflict and nothing changed: Load tells where it is. The other head is a later one, but for
// vault.Restore, which may go back. One of no size, or of no change, is vault.ErrInvalid. A store that holds anything but
// anchors is vault.ErrInvalid too, or vault.ErrTampered where it has lost some. What Load refuses is refused with the same
// errors, and nothing changed. After any other error the outcome is open, as that of the store's Update.
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
	return a.withMark(ctx, func(mark []byte) error { return a.swap(ctx, mark, from, to) })
}

// swap is an Advance in a store with that mark. If the first mark was never written it writes that, and answers errUnmarked.
func (a *Anchor) swap(ctx context.Context, mark []byte, from, to audit.Head) error {
	asked, fits, unmarked := false, false, false
	err := a.store.Update(ctx, 0, func(rows []vault.Row) (vault.Batch, error) {
		asked = true
		now, next, err := a.state(mark, rows)
		if err != nil {
			return vault.Batch{}, err
		}
		if now != from {
			return vault.Batch{}, fmt.Errorf("%w: it is at size %d, not at %d, or has another root", vault.ErrConflict, now.Size, from.Size)
		}
		fits = true
		if _, ok := a.store.(marker); ok && len(mark) == 0 && len(rows) > 0 {
			unmarked = true
			return firstMark(rows[0])
		}
		text := a.format(to)
		row := vault.Row{Key: prefix + a.name, Seq: next, Data: text}
		return vault.Batch{First: next, Lines: [][]byte{bytes.Clone(text)}, Rows: []vault.Row{row}, Keep: next, Mark: formatMark(row)}, nil
	})
	switch {
	case err == nil && !asked:
		return errors.New("the store did not call the function of its Update")
	case err == nil && unmarked:
		return errUnmarked
	case fits && errors.Is(err, vault.ErrConflict): // of the store: its number of lines is not what its rows say
		return fmt.Errorf("%w: the store has lines that none of its anchors wrote: %v", vault.ErrTampered, err)
	}
	return err
}

// state returns where the anchor is, and the number of the store's next line, unless the mark says that rows are missing.
// Every line has written a row, and the row that the last one wrote is still there.
func (a *Anchor) state(mark []byte, rows []vault.Row) (now audit.Head, next int64, err error) {
	for _, r := range rows {
		if !strings.HasPrefix(r.Key, prefix) {
			return audit.Head{}, 0, fmt.Errorf("%w: the store holds other things than anchors; give it one of its own", vault.ErrInvalid)
		}
		next = max(next, r.Seq+1)
	}
	if err := a.compare(mark, rows, next); err != nil {
		return audit.Head{}, 0, err
	}
	for _, r := range rows {
		if r.Key == prefix+a.name {
			now, err = a.parse(r.Data)
		}
	}
	return now, next, err
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
