// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/audit"
)

// restoreKey is the row of a store into which a backup is being read. The commit that makes it a vault takes the row away.
const restoreKey = "restore"

var errUnfinished = fmt.Errorf("%w: an unfinished restore: empty the store and restore again", ErrConflict)

// restore reads a backup into a store. Everything but the head, without which it is no vault, is written as it
// comes; then it is checked.
type restore struct {
	v     *core
	ctx   context.Context
	root  RootKey
	in    *backupReader
	b     *batch     // for its MACs
	began marked     // at which the copy began
	cut   []Row      // where the log begins, if not with record 0
	next  int64      // number of the next line
	tree  audit.Tree // of the lines read
	head  Row
	gone  []Row // that are to be removed: they went while the backup was made
}

func (r *restore) run() error {
	for _, step := range []func() error{r.empty, r.opening, r.begin, r.body, r.check, r.sweep} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *restore) empty() error {
	rows, err := readRows(r.ctx, r.v.store, "", 1)
	if err != nil || len(rows) == 0 {
		return err
	}
	if err := r.v.unfinished(r.ctx); err != nil {
		return err
	}
	return fmt.Errorf("%w: the store is not empty; restore into an empty one", ErrInvalid)
}

// unfinished is an error if the store was being restored.
func (v *core) unfinished(ctx context.Context) error {
	r, err := readRow(ctx, v.store, restoreKey)
	if r.Key == restoreKey {
		return errUnfinished
	}
	return err
}

// opening reads what comes first, and opens the keyring: nothing is written if the root is wrong.
func (r *restore) opening() error {
	header, id, err := r.in.header()
	if err != nil {
		return err
	}
	rows, lines, err := r.in.body()
	if err != nil && err != io.EOF {
		return err
	}
	if len(rows) == 0 || len(lines) > 0 || rows[0].Key != keyringKey {
		return r.in.changed("does not hold the keyring")
	}
	keys, err := openKeyringRow(r.ctx, r.root, id, rows[0].Data)
	if err != nil {
		return err
	}
	if r.began, err = keys.parseMark(header.Mark); err != nil || r.began.id != id {
		return r.in.changed("follows the beginning of another")
	}
	if r.cut = rows[1:]; len(r.cut) > 0 {
		r.tree, err = parseCut(r.cut[0])
	}
	if err != nil || len(r.cut) > 1 || len(r.cut) > 0 != (r.began.first > 0) || r.tree.Head().Size != r.began.first {
		return r.in.changed("does not say where the log begins")
	}
	r.v.ring.Store(keys)
	r.b = r.v.newBatch()
	return nil
}

// begin marks the store, and brings the numbers of its lines to where the log begins.
func (r *restore) begin() error {
	mark := []Row{{restoreKey, 0, []byte(`{"restore":"unfinished"}`)}}
	if err := r.write(Batch{Rows: append(mark, r.cut...)}); err != nil {
		return err
	}
	for r.next < r.began.first {
		dropped := make([][]byte, min(maxBatch, r.began.first-r.next))
		for i := range dropped {
			dropped[i] = []byte(`{}`)
		}
		if err := r.write(Batch{Lines: dropped}); err != nil {
			return err
		}
	}
	return nil
}

// write commits a part. Lines below the first of the log are dropped one part later.
func (r *restore) write(part Batch) error {
	part.First, part.Keep = r.next, min(r.next, r.began.first)
	err := updateStore(r.ctx, r.v.store, r.next, newUpdate(func(changed []Row) (Batch, error) {
		if len(changed) > 0 && len(part.Rows) > 0 && part.Rows[0].Key == restoreKey {
			return Batch{}, fmt.Errorf("%w: the store is no longer empty", ErrConflict)
		}
		return part, nil
	}))
	r.next += int64(len(part.Lines))
	return err
}

// body reads all rows and lines.
func (r *restore) body() error {
	for {
		rows, lines, err := r.in.body()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for _, line := range lines {
			r.tree.Append(line)
		}
		part := Batch{Lines: lines}
		for _, row := range rows {
			if row.Seq >= r.next+int64(len(lines)) {
				return r.in.changed("has a row that no line wrote")
			}
			if row.Key == headKey {
				r.head = row
				continue
			}
			if err := r.row(row); err != nil {
				return err
			}
			part.Rows = append(part.Rows, row)
		}
		if err := r.write(part); err != nil {
			return err
		}
	}
}

// row takes a row into the state, if it decides.
func (r *restore) row(row Row) error {
	if !strings.HasPrefix(row.Key, sealedRows) {
		return r.v.loadRow(r.b.rowMAC, row)
	}
	if _, err := parseSealedKey(row.Key); err != nil || len(row.Data) > maxSealed {
		return r.in.changed("has a row that is none of a vault")
	}
	return nil
}

// parseSealedKey is the row of the version whose sealed value stands under a key.
func parseSealedKey(key string) (rowKey, error) {
	return parseRowKey("v:" + strings.TrimPrefix(key, sealedRows))
}

// check holds rows and lines against the head.
func (r *restore) check() error {
	h, mac, err := parseHead(r.head.Data)
	if err != nil {
		return err
	}
	v := r.v
	if h.id != r.began.id || h.first != r.began.first || h.size < r.began.size || h.generation != v.keys().generation || r.head.Seq != h.size-1 || len(r.cut) > 0 && r.cut[0].Seq >= h.size {
		return fmt.Errorf("%w: the head of the backup does not belong to the rest", ErrTampered)
	}
	for k, e := range v.state.rows { // tokens whose rows were removed while the backup was made
		if t, ok := e.row.(*tokenRow); ok && (t.Expires < h.purged || e.seq < h.reset) {
			v.state.set(k, entry{})
			r.gone = append(r.gone, Row{Key: k.String()})
		}
	}
	if r.tree != h.tree {
		return fmt.Errorf("%w: the log of the backup is not that of its head", ErrTampered)
	}
	v.state.head = h
	return r.b.headMAC.verify(&h, v.state.sum, mac)
}

// sweepAtOnce bounds a page of sealed values, which may have 1 MiB each. Two pages are held at a time.
const sweepAtOnce = 8

// sweep holds the sealed values against the rows that name them, as they are in the store now, and removes what went
// while the backup was made: values of no version, and rows of dead tokens.
func (r *restore) sweep() error {
	there := 0
	for _, e := range r.v.state.rows {
		if v, ok := e.row.(*versionRow); ok && !v.Gone {
			there++
		}
	}
	err := r.v.pages(r.ctx, sealedRows, behindSealed, sweepAtOnce, func(row Row) error {
		k, err := parseSealedKey(row.Key)
		if err != nil {
			return err
		}
		v, _ := r.v.state.rows[k].row.(*versionRow)
		if v == nil || v.Gone {
			if r.gone = append(r.gone, Row{Key: row.Key}); len(r.gone) < maxBatch {
				return nil
			}
			return r.remove()
		}
		if there--; sha256.Sum256(row.Data) != v.Sum {
			return fmt.Errorf("%w: a sealed value of the backup is not the one that was put", ErrTampered)
		}
		return nil
	})
	if err == nil && there > 0 {
		err = fmt.Errorf("%w: the backup lacks %d sealed values", ErrTampered, there)
	}
	if err != nil {
		return err
	}
	return r.remove()
}

func (r *restore) remove() error {
	for rows := range slices.Chunk(r.gone, maxBatch) {
		if err := r.write(Batch{Rows: rows}); err != nil {
			return err
		}
	}
	r.gone = nil
	return nil
}
