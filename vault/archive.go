// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// Archive moves the oldest records out of the log: all before the first that is from before (a whole second) or later. It
// writes them to w as an export that ends with them, for audit.Verify, and only when w has taken everything, and has
// synced it if it has a method Sync() error as an *os.File has, one commit drops them and records the cut. The log keeps the
// tree's edge there: proofs and checkpoints of what is left go on as before, and Export begins at the cut, for
// audit.VerifyFrom with the checkpoint of this archive. Keep archives together, and sync the folder of a new file.
//
// After an error nothing was dropped, but for ErrNotRecorded: then the outcome may be open, and Log.Records shows it. What w
// has taken by then is of no use, or a copy of records that are still there. Nothing is locked while w is written to; a
// Write that hangs holds up Close.
//
// With an anchor, nothing is archived that the anchor does not cover: what it holds must be compared with records that are
// there.
//
// Errors: ErrNotFound (no record is older), ErrInvalid (no record is from before on, and at least one stays; or a token
// that was issued before has not expired: Tokens finds tokens by the records of their issue), ErrConflict (another archive
// was made meanwhile, or the anchor is behind), ErrTampered (the lines of the log are not those of its head), and those of w.
func (o *Operator) Archive(ctx context.Context, before time.Time, w io.Writer, reason string) error {
	if w == nil {
		return fmt.Errorf("vault: archive: %w: the writer is nil", ErrInvalid)
	}
	return o.do(ctx, &call{op: opArchive, by: o.session, req: Request{Reason: reason}, archive: &archive{before: truncate(before), w: w}})
}

// archive is a cut: what goes and what stays.
type archive struct {
	before time.Time
	w      io.Writer
	edge   audit.Tree // where the log began
	cut    audit.Tree // where it is to begin
	begun  bool       // w may have been written to
	failed error      // why it does not hold the archive
}

var errUnwritten = errors.New("the archive was not written to its end")

func (a *archive) first() int64 { return a.edge.Head().Size }
func (a *archive) size() int64  { return a.cut.Head().Size }

func (c *call) checkArchive() error {
	if s := c.archive.before.Unix(); s <= 0 || s > yearLimit {
		return fmt.Errorf("before: a time before which records are archived")
	}
	return nil
}

var archivedMeanwhile = &refusal{"archived", ErrConflict, "another archive was made meanwhile; nothing was dropped, ask again with an empty file"}

// decideArchive refuses, at the head, a cut of a log that no longer begins where the archive does.
func decideArchive(w view, c *call) (p plan, r *refusal) {
	if c.archive.size() > 0 && c.archive.first() != w.at.first {
		return p, archivedMeanwhile
	}
	return p, nil
}

// loadArchive is step 4. When it is done again, since keys were changed meanwhile, w holds what it was given: it is not
// written to twice.
func loadArchive(ctx context.Context, v *core, c *call) error {
	a := c.archive
	if a.begun {
		return a.failed
	}
	a.begun, a.failed = true, errUnwritten // should w panic
	a.failed = a.make(ctx, v)
	if a.failed == nil {
		end := a.cut.Head()
		c.detail, a.failed = detail(archiveJSON{a.first(), end.Size, end.Root[:], a.before.Unix()})
	}
	return a.failed
}

// make finds the cut and writes the archive.
func (a *archive) make(ctx context.Context, v *core) error {
	if err := a.find(ctx, v); err != nil {
		return err
	}
	if err := v.anchoredAt(ctx, a.size()); err != nil {
		return err
	}
	return a.write(ctx, v)
}

// archiveJSON is an archive as its record shows it.
type archiveJSON struct {
	First  int64  `json:"first"`  // its first record
	Size   int64  `json:"size"`   // of its checkpoint: the record where the log begins from now on
	Root   []byte `json:"root"`   // of its checkpoint
	Before int64  `json:"before"` // Unix seconds
}

// find hashes the whole log, so that what is signed and dropped is what was recorded.
func (a *archive) find(ctx context.Context, v *core) error {
	s, err := v.newScan(ctx)
	if err != nil {
		return err
	}
	a.edge = s.tree
	var now time.Time
	v.look(func(w view) { now = w.now })
	reset, since := s.head.reset, fromUnix(s.head.since) // what was issued before is dead, and a later time was wrong
	found, alive := false, error(nil)
	_, err = s.next(ctx, func(seq int64, line []byte) (bool, error) {
		if found {
			return true, nil
		}
		r, err := audit.ParseRecord(line)
		if err != nil {
			return false, fmt.Errorf("%w: record %d cannot be read", ErrTampered, seq)
		}
		if seq < reset && r.Time.After(since) {
			r.Time = since
		}
		if found = !r.Time.Before(a.before); found {
			a.cut = s.tree
			return true, nil
		}
		l, issued, err := issuedLink(r)
		if err != nil {
			return false, err
		}
		if issued && alive == nil && seq >= reset && now.Before(l.Expires) {
			alive = fmt.Errorf("%w: record %d, of %s, issued a token that lives until %s: archive before the one, or after the other",
				ErrInvalid, seq, r.Time.Format(time.RFC3339), l.Expires.Format(time.RFC3339))
		}
		return true, nil
	})
	switch {
	case err != nil:
		return err
	case found && a.size() == a.first():
		return fmt.Errorf("%w: no record in the log is older", ErrNotFound)
	case !found:
		return fmt.Errorf("%w: the last record is older, and it stays: archive before an earlier time", ErrInvalid)
	}
	return alive
}

// write writes the archive, and checks on the way that the lines are still those that were hashed.
func (a *archive) write(ctx context.Context, v *core) error {
	checkpoint, err := v.sign(a.cut.Head())
	if err != nil {
		return err
	}
	tree, ahead := a.edge, readAhead(v.lines(ctx))
	err = audit.WriteExport(a.w, checkpoint, a.edge, a.size(), func(from int64, n int) ([][]byte, error) {
		lines, err := ahead(from, n)
		for _, line := range lines {
			tree.Append(line)
		}
		return lines, err
	})
	if err != nil {
		return err
	}
	if tree != a.cut {
		return fmt.Errorf("%w: the lines of the log changed while they were archived", ErrTampered)
	}
	if s, ok := a.w.(interface{ Sync() error }); ok {
		return s.Sync()
	}
	return nil
}

// applyArchive drops the lines in the commit that records it.
func applyArchive(b *batch, c *call) {
	data, _ := json.Marshal(cutJSON{c.archive.cut}) // a Tree always has a text
	b.sealed = append(b.sealed, Row{cutKey, b.seq(), data})
	b.head.first, b.keep = c.archive.size(), c.archive.size()
}
