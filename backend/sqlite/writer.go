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
	sizes, since, wrote, row, head     *stmt
	insert, insertWrote                [linesAtOnce + 1]*stmt // by number of lines; made when needed
	putHead, putRow, dropHead, dropRow *stmt
	cut, setNext                       *stmt

	known   bool   // the rest is true of the file as version shows it
	version uint32 // changes when another connection commits
	size    int64  // number of lines, dropped ones included
	named   int64  // rows of lines below it may be named beside no line
	top     int64  // no row has a number of top or higher, as far as is known
	written int    // pages written since the log of SQLite was last emptied, about
}

func (w *writer) prepareAll() (err error) {
	for text, to := range map[string]**stmt{
		"BEGIN IMMEDIATE": &w.begin,
		"COMMIT":          &w.commit,
		"ROLLBACK":        &w.rollback,
		"SELECT (SELECT max(seq) + 1 FROM log), (SELECT next FROM dropped WHERE id = 0), (SELECT next FROM dropped WHERE id = 1)": &w.sizes,
		"SELECT key, seq, data FROM rows WHERE seq >= ? AND key NOT GLOB 'x:*'":                                                   &w.since,
		"SELECT wrote FROM log WHERE seq >= ? AND wrote IS NOT NULL":                                                              &w.wrote,
		"SELECT key, seq, data FROM rows WHERE key = ?":                                                                           &w.row,
		"SELECT 'head', seq, data FROM head WHERE seq >= ?":                                                                       &w.head,
		"REPLACE INTO head (id, seq, data) VALUES (0, ?, ?)":                                                                      &w.putHead,
		`INSERT INTO rows (key, seq, data) VALUES (?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, data = excluded.data`: &w.putRow,
		"DELETE FROM head":                              &w.dropHead,
		"DELETE FROM rows WHERE key = ?":                &w.dropRow,
		"DELETE FROM log WHERE seq < ?":                 &w.cut,
		"REPLACE INTO dropped (id, next) VALUES (?, ?)": &w.setNext,
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
		var n [3]int64
		for i, v := range row {
			n[i], _ = v.(int64) // NULL of an empty table
		}
		w.size, w.named, w.top = max(n[0], n[1]), n[2], math.MaxInt64
		return nil
	})
	w.version, w.known = version, err == nil
	w.written += pagesOfOthers
	return err
}

func (w *writer) dataVersion() (uint32, error) {
	return w.Conn.(engine.FileControl).FileControlDataVersion("main")
}

// lines appends to the log, with the keys of the rows that each line writes. Only the first line of an INSERT names its
// number, the others follow it.
func (w *writer) lines(first int64, lines [][]byte, rows []vault.Row) error {
	wrote, stray, err := keysByLine(first, len(lines), rows)
	if err == nil && stray > 0 {
		err = w.nameFrom(stray)
	}
	if err != nil {
		return err
	}
	for len(lines) > 0 {
		n := min(len(lines), linesAtOnce)
		s, err := w.inserter(n, wrote != nil)
		if err != nil {
			return err
		}
		s.bind(0, first)
		at := 1
		for i, line := range lines[:n] {
			s.bind(at, string(line))
			if at++; wrote != nil {
				s.bind(at, wrote[i])
				at++
			}
		}
		if err := s.exec(); err != nil {
			return err
		}
		first, lines = first+int64(n), lines[n:]
		if wrote != nil {
			wrote = wrote[n:]
		}
	}
	return nil
}

// inserter is the statement for n lines, with what they wrote or without.
func (w *writer) inserter(n int, wrote bool) (s *stmt, err error) {
	made, one, more, columns := &w.insert[n], "(?, ?)", ", (NULL, ?)", "seq, line"
	if wrote {
		made, one, more, columns = &w.insertWrote[n], "(?, ?, ?)", ", (NULL, ?, ?)", "seq, line, wrote"
	}
	if *made == nil {
		*made, err = w.keep("INSERT INTO log (" + columns + ") VALUES " + one + strings.Repeat(more, n-1))
	}
	return *made, err
}

// rows writes or removes rows. The head and ciphertext are stored as BLOB, everything else as TEXT for the sqlite3 shell.
func (w *writer) rows(rows []vault.Row) (err error) {
	for _, r := range rows {
		head := r.Key == headKey
		switch {
		case r.Data == nil && head:
			err = w.dropHead.exec()
		case r.Data == nil:
			err = w.dropRow.exec(r.Key)
		case head:
			err = w.putHead.exec(r.Seq, r.Data)
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

// dropBelow drops the lines below n. next, the number of the line that follows, outlives them all.
func (w *writer) dropBelow(n, next int64) error {
	return errors.Join(w.setNext.exec(int64(0), next), w.nameFrom(n), w.cut.exec(n))
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
