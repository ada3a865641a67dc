// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql/driver"
	"errors"
	"math"
	"strings"

	engine "modernc.org/sqlite"

	"github.com/keyward-go/keyward/vault"
)

// linesAtOnce is how many lines one INSERT takes. 32 to 128 are equal, fewer cost throughput under load.
const linesAtOnce = 32

// writer is the one connection that writes, its statements, and what it knows of the file.
type writer struct {
	*conn
	begin, commit, rollback            *stmt
	sizes, since                       *stmt
	insert                             [linesAtOnce + 1]*stmt // by number of lines; made when needed
	putHead, putRow, dropHead, dropRow *stmt
	cut, setNext                       *stmt

	known   bool   // the rest is true of the file as version shows it
	version uint32 // changes when another connection commits
	size    int64  // number of lines, dropped ones included
	top     int64  // no row has a number of top or higher, as far as is known
	written int    // pages written since the log of SQLite was last emptied, about
}

func (w *writer) prepareAll() (err error) {
	for text, to := range map[string]**stmt{
		"BEGIN IMMEDIATE": &w.begin,
		"COMMIT":          &w.commit,
		"ROLLBACK":        &w.rollback,
		"SELECT (SELECT max(seq) + 1 FROM log), (SELECT max(next) FROM dropped)": &w.sizes,
		`SELECT key, seq, data FROM rows INDEXED BY rows_seq WHERE seq >= ?1 AND key NOT GLOB 'x:*'
			UNION ALL SELECT 'head', seq, data FROM head WHERE seq >= ?1`: &w.since,
		"REPLACE INTO head (id, seq, data) VALUES (0, ?, ?)": &w.putHead,
		`INSERT INTO rows (key, seq, data) VALUES (?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, data = excluded.data`: &w.putRow,
		"DELETE FROM head":                              &w.dropHead,
		"DELETE FROM rows WHERE key = ?":                &w.dropRow,
		"DELETE FROM log WHERE seq < ?":                 &w.cut,
		"REPLACE INTO dropped (id, next) VALUES (0, ?)": &w.setNext,
	} {
		if *to, err = w.keep(text); err != nil {
			return err
		}
	}
	return nil
}

// refresh learns what other connections have done. It runs inside the transaction, where nothing can change any more.
func (w *writer) refresh() error {
	version, err := w.dataVersion()
	if err != nil || w.known && version == w.version {
		return err
	}
	err = w.sizes.query(func(row []driver.Value) error {
		var n [2]int64
		for i, v := range row {
			n[i], _ = v.(int64) // NULL of an empty table
		}
		w.size, w.top = max(n[0], n[1]), math.MaxInt64
		return nil
	})
	w.version, w.known = version, err == nil
	w.written += pagesOfOthers
	return err
}

func (w *writer) dataVersion() (uint32, error) {
	return w.Conn.(engine.FileControl).FileControlDataVersion("main")
}

// changed answers the rows of line since and later.
func (w *writer) changed(since int64) (changed []vault.Row, err error) {
	if since >= max(w.size, w.top) {
		return nil, nil
	}
	top := since
	err = w.since.query(func(row []driver.Value) error {
		r, err := rowOf(row)
		changed, top = append(changed, r), max(top, r.Seq+1)
		return err
	}, since)
	if err == nil {
		w.top = top
	}
	return changed, err
}

// lines appends to the log. Only the first line of an INSERT names its number, the others follow it.
func (w *writer) lines(first int64, lines [][]byte) error {
	for len(lines) > 0 {
		n := min(len(lines), linesAtOnce)
		s := w.insert[n]
		if s == nil {
			var err error
			if s, err = w.keep("INSERT INTO log (seq, line) VALUES (?, ?)" + strings.Repeat(", (NULL, ?)", n-1)); err != nil {
				return err
			}
			w.insert[n] = s
		}
		s.bind(0, first)
		for i, line := range lines[:n] {
			s.bind(i+1, string(line))
		}
		if err := s.exec(); err != nil {
			return err
		}
		first, lines = first+int64(n), lines[n:]
	}
	return nil
}

// rows writes or removes rows. Ciphertext is stored as BLOB, everything else as TEXT for the sqlite3 shell.
func (w *writer) rows(rows []vault.Row) (err error) {
	for _, r := range rows {
		head := r.Key == headKey
		switch {
		case r.Data == nil && head:
			err = w.dropHead.exec()
		case r.Data == nil:
			err = w.dropRow.exec(r.Key)
		case head:
			err = w.putHead.exec(r.Seq, string(r.Data))
		case strings.HasPrefix(r.Key, sealedPrefix):
			err = w.putRow.exec(r.Key, r.Seq, r.Data)
		default:
			err = w.putRow.exec(r.Key, r.Seq, string(r.Data))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropBelow drops the lines below n. next outlives them all.
func (w *writer) dropBelow(n, next int64) error {
	if n > next {
		return errors.New("Keep is beyond the log")
	}
	return errors.Join(w.setNext.exec(next), w.cut.exec(n))
}

// committed notes what the commit of b has made of the file.
func (w *writer) committed(b vault.Batch) {
	w.size += int64(len(b.Lines))
	for _, r := range b.Rows {
		w.top = max(w.top, r.Seq+1)
	}
	version, err := w.dataVersion()
	w.version, w.known = version, err == nil
	if pages, _, err := w.Conn.(engine.DBStatus).Status(engine.DBStatusCacheWrite, true); err == nil {
		w.written += pages
	}
}
