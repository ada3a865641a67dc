// SPDX-License-Identifier: Apache-2.0

// Package logs changes exports of a log as a thief or the keeper of it would, and asks the verifier. The reader keeps the key
// and a checkpoint, and for the part behind a cut that of the archive; nothing that they cover may be changed unseen.
package logs

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/harness/internal/kit"
)

// Harness is the mutations.
var Harness = kit.Harness{
	Name:    "logs",
	About:   "changed exports and archives: the offline verifier finds every change of what the reader's checkpoints cover",
	Bug:     "the verifier forgets the earlier checkpoint",
	BugSays: regexp.MustCompile(`\(forks\) of the (whole|cut) export is not found`),
	Stores:  []string{"memory"},
	Short:   1000, Long: 10_000, Unit: "mutations", InRAM: true,
	Run: run,
}

const (
	origin = "keyward/00112233445566778899aabbccddeeff"
	size   = 64 // records of the log
	cut    = 23 // of them in the archive
	kept   = 41 // covered by the reader's checkpoint
)

// log is the lines of a log, and the keys that it is signed with and read with.
type log struct {
	lines            [][]byte
	signer, verifier string
}

func (l *log) read(from int64, n int) ([][]byte, error) {
	return l.lines[from:min(from+int64(n), int64(len(l.lines)))], nil
}

func (l *log) tree(n int) (t audit.Tree) {
	for _, line := range l.lines[:n] {
		t.Append(line)
	}
	return t
}

func (l *log) checkpoint(n int) ([]byte, error) {
	t := l.tree(n)
	return audit.Sign(t.Head(), origin, l.signer)
}

// export is what is signed behind the first lines, with edge in place of these.
func (l *log) export(edge audit.Tree) ([]byte, error) {
	checkpoint, err := l.checkpoint(len(l.lines))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = audit.WriteExport(&b, checkpoint, edge, int64(len(l.lines)), l.read)
	return b.Bytes(), err
}

func newLog() (*log, error) {
	l := &log{}
	var err error
	if l.signer, l.verifier, err = note.GenerateKey(rand.Reader, origin); err != nil {
		return nil, err
	}
	for i := range size {
		r := audit.Record{
			Seq: int64(i), Time: time.Date(2026, 11, 20, 9, 30, i, 0, time.UTC), Outcome: audit.Granted,
			Op: "get", Agent: "researcher", Path: "production/search/key", Version: 1, Reason: fmt.Sprintf("question %d", i),
		}
		line, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		l.lines = append(l.lines, line)
	}
	return l, nil
}

func run(ctx context.Context, r *kit.Run) error {
	l, err := newLog()
	if err != nil {
		return err
	}
	from, err := l.checkpoint(cut)
	if err != nil {
		return err
	}
	earlier, err := l.checkpoint(kept)
	if err != nil {
		return err
	}
	known := [][]byte{earlier}
	if r.Bug {
		known = nil
	}
	m := mutator{log: l, rng: r.Rand}
	if m.whole, err = l.export(audit.Tree{}); err == nil {
		m.part, err = l.export(l.tree(cut))
	}
	if err != nil {
		return err
	}
	for _, control := range []func() (audit.Head, error){
		func() (audit.Head, error) { return audit.Verify(bytes.NewReader(m.whole), l.verifier, known...) },
		func() (audit.Head, error) {
			return audit.VerifyFrom(from, bytes.NewReader(m.part), l.verifier, known...)
		},
	} {
		if _, err := control(); err != nil {
			return kit.Violationf("an untouched export is refused: %v", err)
		}
	}
	made := map[string]int{}
	for n := 0; n < r.Rounds; {
		if err := ctx.Err(); err != nil {
			return err
		}
		kind, export, of, err := m.next()
		if err != nil {
			return err
		}
		if bytes.Equal(export, m.whole) || bytes.Equal(export, m.part) {
			continue
		}
		n++
		made[kind]++
		begin := from
		if of == whole {
			begin = nil
		}
		if _, err := audit.VerifyFrom(begin, bytes.NewReader(export), l.verifier, known...); err == nil {
			return kit.Violationf("mutation %d (%s) of the %s export is not found", n, kind, of)
		}
		r.Progress(n)
	}
	for _, kind := range []string{bytesChanged, linesChanged, forks, anotherKey, edges} {
		r.Count(kind, int64(made[kind]))
	}
	return nil
}
