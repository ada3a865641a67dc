// SPDX-License-Identifier: Apache-2.0

package anchor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/keyward-go/keyward/vault"
)

// marker is a store with a head file, which holds the Mark of the newest Batch outside of what it stores. If it is lost Mark
// answers vault.ErrRollback, or vault.ErrTampered where it cannot be read. A store without one is not compared.
type marker interface {
	Mark(ctx context.Context) ([]byte, error)
}

var (
	errOlder = fmt.Errorf("%w: the store of the anchors is older than its head file: lines are missing, or an old store was put "+
		"back; put the newest one back, with its head file, or begin new anchors in an empty store", vault.ErrRollback)
	errUnmarked = fmt.Errorf("%w: the store of the anchors has lines, but the head file beside it is a new one; put the newest "+
		"store back, with its head file, or begin new anchors in an empty store", vault.ErrRollback)
)

// withMark calls f with the mark as it is now, so that whatever f reads is at least as new. Where there was none it calls f
// once more if that answers errUnmarked: others may have written the first one meanwhile, or f has.
func (a *Anchor) withMark(ctx context.Context, f func(mark []byte) error) error {
	m, ok := a.store.(marker)
	for again := true; ; again = false {
		var mark []byte
		if ok {
			var err error
			if mark, err = m.Mark(ctx); err != nil {
				return err
			}
		}
		if err := f(mark); !again || !errors.Is(err, errUnmarked) {
			return err
		}
	}
}

// compare holds what the store has, its rows and the number of its next line, against a mark that was read before them. It
// may be older, since a crash may come between a commit and its mark; one line without a mark is what the first crash leaves.
func (a *Anchor) compare(mark []byte, rows []vault.Row, next int64) error {
	if _, ok := a.store.(marker); !ok {
		return nil
	}
	if len(mark) == 0 {
		if next > 1 {
			return errUnmarked
		}
		return nil
	}
	known, err := parseMark(mark)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Key == known.Key && (r.Seq > known.Seq || r.Seq == known.Seq && bytes.Equal(r.Data, known.Data)) {
			return nil
		}
	}
	return errOlder
}

// firstMark makes up for a crash between the first commit and its mark. It writes the same row again, and no line: if only
// the next line brought a mark, another crash could come between those.
func firstMark(row vault.Row) (vault.Batch, error) {
	mark := formatMark(row)
	if _, err := parseMark(mark); err != nil {
		return vault.Batch{}, err
	}
	return vault.Batch{First: row.Seq + 1, Rows: []vault.Row{row}, Mark: mark}, nil
}

func formatMark(r vault.Row) []byte { return fmt.Appendf(nil, "%d %s", r.Seq, r.Data) }

// parseMark accepts what formatMark writes of a row of any anchor, and nothing else.
func parseMark(mark []byte) (vault.Row, error) {
	number, text, _ := bytes.Cut(mark, []byte(" "))
	line, err := strconv.ParseInt(string(number), 10, 64)
	var j anchorJSON
	if err == nil {
		err = json.Unmarshal(text, &j)
	}
	if err == nil {
		_, err = In(nil, j.Anchor).parse(text)
	}
	r := vault.Row{Key: prefix + j.Anchor, Seq: line, Data: text}
	if err != nil || line < 0 || !bytes.Equal(formatMark(r), mark) {
		return vault.Row{}, fmt.Errorf("%w: what the head file of the store holds was written by no anchor", vault.ErrTampered)
	}
	return r, nil
}
