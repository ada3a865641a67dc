// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyward-go/keyward/audit"
)

// BenchmarkEncode compares the hand-written encoder with encoding/json on the same fields.
func BenchmarkEncode(b *testing.B) {
	r := record(4711)
	line, _ := r.MarshalJSON()
	b.Run("audit", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		buf := make([]byte, 0, 1024)
		for b.Loop() {
			buf = r.AppendRest(r.AppendOpening(buf[:0]))
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		type plain struct { // the same fields without MarshalJSON
			Seq      int64             `json:"seq"`
			Time     time.Time         `json:"time"`
			Outcome  audit.Outcome     `json:"outcome"`
			Cause    string            `json:"cause,omitempty"`
			Uses     []int             `json:"uses,omitempty"`
			Op       string            `json:"op"`
			Operator string            `json:"operator,omitempty"`
			Agent    string            `json:"agent,omitempty"`
			Run      string            `json:"run,omitempty"`
			User     string            `json:"user,omitempty"`
			Tenant   string            `json:"tenant,omitempty"`
			Token    string            `json:"token,omitempty"`
			Target   string            `json:"target,omitempty"`
			Path     string            `json:"path,omitempty"`
			Version  int               `json:"version,omitempty"`
			Source   string            `json:"source,omitempty"`
			Method   string            `json:"method,omitempty"`
			Host     string            `json:"host,omitempty"`
			Addr     string            `json:"addr,omitempty"`
			Reason   string            `json:"reason,omitempty"`
			Call     string            `json:"call,omitempty"`
			Trace    string            `json:"trace,omitempty"`
			Count    int               `json:"count,omitempty"`
			Detail   string            `json:"detail,omitempty"`
			Metadata map[string]string `json:"metadata,omitempty"`
		}
		p := plain(r)
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	line, _ := record(4711).MarshalJSON()
	b.Run("audit", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := audit.ParseRecord(line); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			var r audit.Record
			if err := json.Unmarshal(line, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTree: an append is a leaf hash (tlog.RecordHash) and, on average, one node hash.
func BenchmarkTree(b *testing.B) {
	line, _ := record(4711).MarshalJSON()
	b.Run("append", func(b *testing.B) {
		var t audit.Tree
		b.ReportAllocs()
		for b.Loop() {
			t.Append(line)
		}
	})
	b.Run("tlog.RecordHash", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			tlog.RecordHash(line)
		}
	})
	b.Run("head", func(b *testing.B) {
		var t audit.Tree
		for range 1<<12 - 1 {
			t.Append(line)
		}
		for b.Loop() {
			t.Head()
		}
	})
}

// BenchmarkVerify reads an export of 100,000 records; the baselines of the same run are SHA-256 over the same bytes
// at once, and line by line.
func BenchmarkVerify(b *testing.B) {
	l := newLog(b, 100_000)
	export := l.export(b)
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(int64(len(export)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := audit.Verify(bytes.NewReader(export), l.verifier); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sha256-at-once", func(b *testing.B) {
		b.SetBytes(int64(len(export)))
		for b.Loop() {
			sha256.Sum256(export)
		}
	})
	b.Run("sha256-lines", func(b *testing.B) {
		b.SetBytes(int64(len(export)))
		for b.Loop() {
			for _, line := range l.lines {
				sha256.Sum256(line)
			}
		}
	})
}

func BenchmarkProveRecord(b *testing.B) {
	l := newLog(b, 100_000)
	for b.Loop() {
		if _, err := audit.ProveRecord(4711, 100_000, audit.Tree{}, l.read); err != nil {
			b.Fatal(err)
		}
	}
}
