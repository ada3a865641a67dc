// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// Log reads the audit log and proves it. It changes nothing and reveals nothing, so it may be given to whoever watches. It
// is safe for concurrent use, and holds nothing in the store between pages.
type Log struct{ core func() *core }

const followPoll = 100 * time.Millisecond

// Records returns the records that f matches, in order, up to the head at the time of the call; those of other processes
// too. All lines are hashed on the way, and if they are not those of the log's head the last element is an ErrTampered: only
// an iteration that ran to its end without an error has been checked.
//
// With f.Since zero they begin with the first record that is still in the log. With f.Since of a record that was archived
// there are none but an ErrNotFound: whoever goes on from a cursor learns that it has missed some, which are in an archive.
func (l *Log) Records(ctx context.Context, f audit.Filter) iter.Seq2[audit.Record, error] {
	return l.records(ctx, f, false)
}

// Follow is Records that waits for more at the end, until ctx ends, whose error is the last element.
//
// To go on after a restart, or after kill -9, keep the sequence number of the last record that was dealt with where it
// outlives the process, after dealing with it, and pass the number behind it as f.Since: then none is missed, and only a
// record whose number was not kept any more comes again.
func (l *Log) Follow(ctx context.Context, f audit.Filter) iter.Seq2[audit.Record, error] {
	return l.records(ctx, f, true)
}

func (l *Log) records(ctx context.Context, f audit.Filter, follow bool) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		s, err := l.core().newScan(ctx)
		if err == nil && f.Since > 0 && f.Since < s.size {
			err = archived(s.size)
		}
		if err != nil {
			yield(audit.Record{}, fmt.Errorf("vault: log: %w", err))
			return
		}
		for {
			goOn, err := s.next(ctx, func(seq int64, line []byte) (bool, error) {
				if seq < f.Since {
					return true, nil
				}
				r, err := audit.ParseRecord(line)
				if err != nil {
					return false, fmt.Errorf("%w: record %d cannot be read", ErrTampered, seq)
				}
				return !f.Match(r) || yield(r, nil), nil
			})
			if err == nil && goOn && follow {
				err = s.wait(ctx)
			}
			if err != nil {
				yield(audit.Record{}, fmt.Errorf("vault: log: %w", err))
				return
			}
			if !goOn || !follow {
				return
			}
		}
	}
}

// Key returns the public key of the log, as note.NewVerifier reads it. Its name is "keyward/" and the vault's id. Keep it,
// and a checkpoint, where the keeper of the vault cannot change them.
func (l *Log) Key() string { return l.core().keys().verifier }

// Checkpoint signs the head of the log as it is now.
func (l *Log) Checkpoint(ctx context.Context) ([]byte, error) {
	h, err := l.core().headToRead(ctx)
	if err != nil {
		return nil, fmt.Errorf("vault: checkpoint: %w", err)
	}
	return l.core().sign(h.log())
}

func (v *core) sign(h audit.Head) ([]byte, error) {
	return audit.Sign(h, v.keys().id.origin(), v.keys().signer)
}

// Prove returns a record's line and the proof that the log of the checkpoint has it, for audit.CheckRecord. It reads the
// log once. A record that was archived is an ErrNotFound: prove it from the archive, with audit.ProveRecord, to the
// checkpoint of the archive, and from that to a newer one with ProveConsistent.
func (l *Log) Prove(ctx context.Context, seq int64, checkpoint []byte) (line []byte, p audit.Proof, err error) {
	h, err := audit.ParseCheckpoint(checkpoint, l.Key())
	if err != nil {
		return nil, nil, fmt.Errorf("vault: prove: %w", err)
	}
	if seq < 0 || seq >= h.Size {
		return nil, nil, fmt.Errorf("vault: prove: %w: the checkpoint covers records 0 to %d", ErrInvalid, h.Size-1)
	}
	_, edge, err := l.core().begin(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("vault: prove: %w", err)
	}
	lines := l.core().lines(ctx)
	one, err := lines(seq, 1)
	if err == nil && len(one) != 1 {
		err = fmt.Errorf("%w: the log ends before record %d", ErrTampered, seq)
	}
	if err == nil {
		p, err = audit.ProveRecord(seq, h.Size, edge, lines)
	}
	if err == nil && audit.CheckRecord(one[0], seq, h, p) != nil {
		err = fmt.Errorf("%w: the log is not that of the checkpoint", ErrTampered)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("vault: prove: %w", err)
	}
	return one[0], p, nil
}

// ProveConsistent returns the proof that the log of a newer checkpoint begins with that of an older one, for
// audit.CheckConsistent. An older one of a log that was archived since, but for the archive's own, is an ErrNotFound: its
// proof goes by that of the archive.
func (l *Log) ProveConsistent(ctx context.Context, older, newer []byte) (audit.Proof, error) {
	from, err := audit.ParseCheckpoint(older, l.Key())
	if err != nil {
		return nil, fmt.Errorf("vault: prove: older: %w", err)
	}
	to, err := audit.ParseCheckpoint(newer, l.Key())
	if err != nil {
		return nil, fmt.Errorf("vault: prove: newer: %w", err)
	}
	begin, edge, err := l.core().begin(ctx)
	if err == nil && from.Size > 0 && from.Size < begin.first {
		err = archived(begin.first)
	}
	if err != nil {
		return nil, fmt.Errorf("vault: prove: %w", err)
	}
	p, err := audit.ProveConsistent(from.Size, to.Size, edge, l.core().lines(ctx))
	if err == nil && audit.CheckConsistent(from, to, p) != nil {
		err = fmt.Errorf("%w: the checkpoints do not fit: the log was forked or changed", ErrTampered)
	}
	if err != nil {
		return nil, fmt.Errorf("vault: prove: %w", err)
	}
	return p, nil
}

// Export writes the whole log with a checkpoint of it, for audit.Verify and for jq; once records were archived, all that
// is left, for audit.VerifyFrom.
func (l *Log) Export(ctx context.Context, w io.Writer) error {
	h, edge, err := l.core().begin(ctx)
	if err == nil {
		err = l.core().export(ctx, w, h.log(), edge)
	}
	if err != nil {
		return fmt.Errorf("vault: export: %w", err)
	}
	return nil
}

func (v *core) export(ctx context.Context, w io.Writer, h audit.Head, edge audit.Tree) error {
	checkpoint, err := v.sign(h)
	if err == nil {
		err = audit.WriteExport(w, checkpoint, edge, h.Size, readAhead(v.lines(ctx)))
	}
	if err == nil {
		err = v.endsAt(ctx, h)
	}
	return err
}

// Verify checks the whole log as audit.Verify checks an export of it: every line against the head, and every earlier
// checkpoint. What does not hold is an ErrTampered; errors.As finds the *audit.TamperError. Of an archived log it checks
// what is left, from where the head's MAC says that it begins; an earlier checkpoint of a size below that is an ErrInvalid:
// it is for the archive that has those records.
func (l *Log) Verify(ctx context.Context, earlier ...[]byte) error {
	h, edge, err := l.core().begin(ctx)
	var from []byte // nil: the log is whole
	if err == nil && h.first > 0 {
		from, err = l.core().sign(edge.Head())
	}
	if err != nil {
		return fmt.Errorf("vault: verify: %w", err)
	}
	r, w := io.Pipe()
	exported := make(chan error, 1)
	go func() {
		err := contain(func() error { return l.core().export(ctx, w, h.log(), edge) })
		w.CloseWithError(err)
		exported <- err
	}()
	_, err = audit.VerifyFrom(from, r, l.Key(), earlier...)
	r.CloseWithError(io.ErrClosedPipe)
	if failed := <-exported; failed != nil && !errors.Is(failed, io.ErrClosedPipe) {
		return fmt.Errorf("vault: verify: %w", failed)
	}
	var tampered *audit.TamperError
	switch {
	case errors.As(err, &tampered):
		return fmt.Errorf("vault: verify: %w: %w", ErrTampered, err)
	case err != nil:
		return fmt.Errorf("vault: verify: %w: %w", ErrInvalid, err)
	}
	return nil
}
