// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/keyward-go/keyward/audit"
)

// cutKey is the row of the tree's edge where the log begins, once records were archived. It decides nothing: the head's MAC
// says where that is, and hashing on from the edge must lead to the head's root.
const cutKey = "cut"

var errCut = fmt.Errorf("%w: the log does not begin where its head says, or has not the lines behind that", ErrTampered)

type cutJSON struct {
	Edge audit.Tree `json:"edge"`
}

// archived says that a record is no longer in the log.
func archived(first int64) error {
	return fmt.Errorf("%w: the log begins at record %d; those before it are in an archive", ErrNotFound, first)
}

// begin returns the head as it is now, and the tree where the log begins.
func (v *core) begin(ctx context.Context) (h head, edge audit.Tree, err error) {
	for range tries { // another process may archive between head and row
		if h, err = v.headToRead(ctx); err != nil || h.first == 0 {
			return h, audit.Tree{}, err
		}
		if err = v.enter(); err != nil {
			return h, audit.Tree{}, err
		}
		edge, err = v.edge(ctx, h.first)
		v.leave()
		if err != nil || edge.Head().Size == h.first {
			return h, edge, err
		}
	}
	if _, err = v.newestHead(ctx); err == nil {
		err = errCut
	}
	return h, audit.Tree{}, err
}

// edge is the tree where a log begins that has first as its lowest line, or where it begins by now.
func (v *core) edge(ctx context.Context, first int64) (audit.Tree, error) {
	if first == 0 {
		return audit.Tree{}, nil
	}
	return v.readCut(ctx)
}

func (v *core) readCut(ctx context.Context) (audit.Tree, error) {
	r, err := readRow(ctx, v.store, cutKey)
	if err != nil {
		return audit.Tree{}, err
	}
	return parseCut(r)
}

func parseCut(r Row) (audit.Tree, error) {
	var j cutJSON
	if r.Key != cutKey || json.Unmarshal(r.Data, &j) != nil {
		return audit.Tree{}, fmt.Errorf("%w: the row that says where the log begins is gone or cannot be read", ErrTampered)
	}
	return j.Edge, nil
}

// missing says why the log has no line of a number below its head's size: it was archived meanwhile, or else it is gone.
func (v *core) missing(ctx context.Context, seq int64) error {
	h, err := v.newestHead(ctx)
	switch {
	case err != nil:
		return err
	case seq < h.first:
		return archived(h.first)
	}
	return fmt.Errorf("%w: the log ends before record %d", ErrTampered, seq)
}
