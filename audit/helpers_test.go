// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyward-go/keyward/audit"
)

const origin = "keyward/00112233445566778899aabbccddeeff"

// keys returns the signer and verifier key of a fixed test seed, so that vectors stay the same.
func keys(name string, seed byte) (signer, verifier string) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	verifier, err := note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	hash := strings.Split(verifier, "+")[1]
	coded := base64.StdEncoding.EncodeToString(append([]byte{1}, private.Seed()...))
	return fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", name, hash, coded), verifier
}

// record is a plausible record of about 350 bytes.
func record(seq int64) audit.Record {
	return audit.Record{
		Seq: seq, Time: time.Date(2026, 11, 20, 9, 30, 0, int(seq%1e9), time.UTC).Add(time.Duration(seq) * time.Millisecond),
		Outcome: audit.Granted, Uses: []int{int(seq%100) + 1, 0},
		Op: "use", Agent: "researcher/summariser", Run: "run-4711", User: "u812",
		Token: "9f86d081884c7d659a2feaa0c55ad015.a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Path:  "production/search/tavily-key", Version: 3, Method: "POST", Host: "api.tavily.com",
		Addr: "10.1.2.3", Reason: "look up \"sources\"", Call: fmt.Sprintf("call-%d", seq),
	}
}

// log is a log in memory with the keys that sign it.
type log struct {
	lines            [][]byte
	signer, verifier string
}

func newLog(t testing.TB, size int) *log {
	t.Helper()
	l := &log{}
	l.signer, l.verifier = keys(origin, 7)
	for i := range size {
		line, err := record(int64(i)).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		l.lines = append(l.lines, line)
	}
	return l
}

func (l *log) read(from int64, n int) ([][]byte, error) {
	to := min(from+int64(n), int64(len(l.lines)))
	return l.lines[from:to], nil
}

func (l *log) head(size int) audit.Head { return headOf(l.lines[:size]) }

func headOf(lines [][]byte) audit.Head {
	var t audit.Tree
	for _, line := range lines {
		t.Append(line)
	}
	return t.Head()
}

func (l *log) checkpoint(t testing.TB, size int) []byte {
	t.Helper()
	return sign(t, l.head(size), l.signer)
}

func sign(t testing.TB, h audit.Head, signer string) []byte {
	t.Helper()
	checkpoint, err := audit.Sign(h, origin, signer)
	if err != nil {
		t.Fatal(err)
	}
	return checkpoint
}

func (l *log) export(t testing.TB) []byte {
	t.Helper()
	return l.part(t, 0, len(l.lines))
}

// part exports what is between two sizes, as an archive has it.
func (l *log) part(t testing.TB, first, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := audit.WriteExport(&out, l.checkpoint(t, size), l.edge(first), int64(size), l.read); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (l *log) edge(size int) (t audit.Tree) {
	for _, line := range l.lines[:size] {
		t.Append(line)
	}
	return t
}
