// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"

	_ "modernc.org/sqlite"
)

// rawCommits is the baseline of every durable rate: group commit as a careful programmer writes it, on the same engine
// with the same settings, through database/sql, of rows of the same size and nothing else.
type rawCommits struct {
	ops  chan rawOp
	stop sync.WaitGroup
}

type rawOp struct {
	line string
	done chan error // one element
}

func newRawCommits(tb testing.TB, path string) *rawCommits {
	w := openRaw(tb, path, "full")
	r := &rawCommits{ops: make(chan rawOp, 1024)}
	r.stop.Go(func() {
		defer w.close()
		groupCommit(r.ops, w.commit)
	})
	return r
}

// commit returns when line is on the disk.
func (r *rawCommits) commit(line string) error {
	op := rawOp{line, make(chan error, 1)}
	r.ops <- op
	return <-op.done
}

func (r *rawCommits) close() {
	close(r.ops)
	r.stop.Wait()
}

// groupCommit hands what waits to commit, up to 1,024 lines at once.
func groupCommit(ops <-chan rawOp, commit func([]string) error) {
	var batch []rawOp
	var lines []string
	for op := range ops {
		batch, lines = append(batch[:0], op), append(lines[:0], op.line)
	drain:
		for len(batch) < 1024 {
			select {
			case op, ok := <-ops:
				if !ok {
					break drain
				}
				batch, lines = append(batch, op), append(lines, op.line)
			default:
				break drain
			}
		}
		err := commit(lines)
		for _, op := range batch {
			op.done <- err
		}
	}
}

// rawWriter is one pinned connection with a statement for each number of rows, 32 at most.
type rawWriter struct {
	db     *sql.DB
	conn   *sql.Conn
	insert [33]*sql.Stmt
}

func openRaw(tb testing.TB, path, synchronous string) *rawWriter {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=synchronous("+synchronous+
		")&_pragma=secure_delete(on)&_pragma=temp_store(memory)")
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE log (seq INTEGER PRIMARY KEY, line TEXT NOT NULL)"); err != nil {
		tb.Fatal(err)
	}
	c, err := db.Conn(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return &rawWriter{db: db, conn: c}
}

func (w *rawWriter) close() {
	w.conn.Close()
	w.db.Close()
}

func (w *rawWriter) commit(lines []string) error {
	ctx := context.Background()
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for len(lines) > 0 {
		n := min(len(lines), 32)
		if w.insert[n] == nil {
			w.insert[n], err = w.conn.PrepareContext(ctx, "INSERT INTO log (line) VALUES (?)"+strings.Repeat(", (?)", n-1))
			if err != nil {
				return err
			}
		}
		args := make([]any, n)
		for i := range args {
			args[i] = lines[i]
		}
		if _, err := w.insert[n].ExecContext(ctx, args...); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return tx.Commit()
}
