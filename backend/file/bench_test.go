// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/vault"
)

// batchOf is a commit of n records of 400 bytes, with the head row of 1.2 KB that every commit of a vault writes.
func batchOf(first int64, n int) vault.Batch {
	b := vault.Batch{First: first, Mark: make([]byte, 300)}
	for i := range int64(n) {
		b.Lines = append(b.Lines, fmt.Appendf(nil, `{"seq":%d,"pad":"%s"}`, first+i, strings.Repeat("p", 380)))
	}
	head := fmt.Appendf(nil, `{"size":%d,"pad":"%s"}`, first+int64(n), strings.Repeat("h", 1180))
	b.Rows = []vault.Row{{Key: "head", Seq: first + int64(n) - 1, Data: head}}
	return b
}

// BenchmarkAgainstRaw commits beside a raw append and fdatasync of the same bytes, in short rounds that alternate, since
// the disk's rate drifts. Run it with -benchtime 1x. Compactions are in the store's times.
func BenchmarkAgainstRaw(b *testing.B) {
	for _, n := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("lines=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			s := openAt(b, filepath.Join(dir, "vault.journal"))
			raw, err := os.OpenFile(filepath.Join(dir, "raw"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			if err != nil {
				b.Fatal(err)
			}
			defer raw.Close()
			var first int64
			bytes := len(file.WriteLine(batchOf(0, n)))
			text := make([]byte, bytes+18)
			var ratio, rate []float64
			for b.Loop() {
				for range 15 {
					ours := time.Duration(0)
					theirs := time.Duration(0)
					const commits = 100
					for range commits {
						batch := batchOf(first, n)
						begin := time.Now()
						if err := update(s, batch); err != nil {
							b.Fatal(err)
						}
						ours += time.Since(begin)
						first += int64(n)
						begin = time.Now()
						if _, err := raw.Write(text); err != nil {
							b.Fatal(err)
						}
						if err := file.SyncData(raw); err != nil {
							b.Fatal(err)
						}
						theirs += time.Since(begin)
					}
					ratio = append(ratio, float64(theirs)/float64(ours))
					rate = append(rate, commits*float64(time.Second)/float64(theirs))
				}
			}
			slices.Sort(ratio)
			slices.Sort(rate)
			b.ReportMetric(rate[len(rate)/2], "raw/s")
			b.ReportMetric(ratio[len(ratio)/2], "store/raw")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkOpen reads a journal of 100,000 records, and says what memory it takes then.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "vault.journal")
	s := openAt(b, path)
	for first := int64(0); first < 100_000; first += 1000 {
		commit(b, s, batchOf(first, 1000))
	}
	s.Close()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	var before, after runtime.MemStats
	for b.Loop() {
		s = nil
		runtime.GC()
		runtime.ReadMemStats(&before)
		s = openAt(b, path)
		runtime.GC()
		runtime.ReadMemStats(&after)
		s.Close()
	}
	b.ReportMetric(float64(after.HeapAlloc)-float64(before.HeapAlloc), "heap-B")
	runtime.KeepAlive(s)
}

// BenchmarkCompaction commits while a journal of 100,000 records is copied: the longest pause of a store of that size.
func BenchmarkCompaction(b *testing.B) {
	path := newPath(b)
	s := openAt(b, path)
	first := int64(0)
	for ; first < 100_000; first += 1000 {
		commit(b, s, batchOf(first, 1000))
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		s.Compact()
		commit(b, s, batchOf(first, 1))
		first++
	}
}

// BenchmarkLines reads pages of the log in order.
func BenchmarkLines(b *testing.B) {
	s := openAt(b, newPath(b))
	for first := int64(0); first < 20_000; first += 40 {
		commit(b, s, batchOf(first, 40))
	}
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("page=%d", n), func(b *testing.B) {
			var from int64
			for b.Loop() {
				lines, err := s.Lines(b.Context(), from, n)
				if err != nil || len(lines) != n {
					b.Fatal(len(lines), err)
				}
				from = (from + int64(n)) % 20_000
			}
		})
	}
}
