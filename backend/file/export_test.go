// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"

	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/vault"
)

// OpenFaulty opens a store whose steps fail as fail says.
func OpenFaulty(ctx context.Context, path string, fail func(step string) error) (*Store, error) {
	return open(ctx, path, fail)
}

// Compact makes the next commit compact the journal.
func (s *Store) Compact() { s.j.wasted = s.j.end + compactMin + 1 }

// Wasted is what the store takes to be superseded, in bytes.
func (s *Store) Wasted() int64 { return s.j.wasted }

// Marks is how many places of the journal are remembered.
func (s *Store) Marks() int { return len(s.j.marks) }

// Reseal gives every line of a journal, without its checksum, the one that fits.
func Reseal(bodies ...string) (text []byte) {
	var last journal.Sum
	for _, b := range bodies {
		var line []byte
		line, last = last.Seal([]byte(b))
		text = append(text, line...)
	}
	return text
}

// ParseLine reads the JSON of a commit and writes it again.
func ParseLine(body []byte) (again []byte, rows []vault.Row, lines [][]byte, err error) {
	var c journal.Commit
	if err := parse(&c, body); err != nil {
		return nil, nil, nil, err
	}
	for _, r := range c.Rows {
		row := vault.Row{Key: r.Key, Seq: r.Seq}
		if r.Data != nil {
			if row.Data, err = bytesOf(r.Data); err != nil {
				return nil, nil, nil, err
			}
		}
		rows = append(rows, row)
	}
	for _, l := range c.Lines {
		b, err := bytesOf(l)
		if err != nil {
			return nil, nil, nil, err
		}
		lines = append(lines, b)
	}
	return c.AppendTo(nil), rows, lines, nil
}

// WriteLine writes a batch as a journal does.
func WriteLine(b vault.Batch) []byte { return commitOf(b).AppendTo(nil) }

// SyncData is what a commit calls.
var SyncData = syncData
