// SPDX-License-Identifier: Apache-2.0

package powercut

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/harness/internal/strace"
)

// call is line n of a trace in the folder /v.
func call(n int, name, result string, args ...string) strace.Call {
	return strace.Call{Thread: "1", Name: name, Args: args, Result: result, Start: n, End: n}
}

func text(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, `\x%02x`, s[i])
	}
	return b.String()
}

func at(fd int, path string) string { return fmt.Sprintf("%d<%s>", fd, text(path)) }
func str(s string) string           { return `"` + text(s) + `"` }

// A new file is written under another name, synced, renamed, and the folder is synced: what is left at each moment, if
// nothing that is not synced survives.
func TestImage(t *testing.T) {
	calls := []strace.Call{
		call(0, "open", at(4, "/v"), str("/v"), "O_RDONLY"),
		call(1, "openat", at(5, "/v/new"), at(4, "/v"), str("new"), "O_RDWR|O_CREAT|O_EXCL", "0600"),
		call(2, "write", "3", at(5, "/v/new"), str("abc"), "3"),
		call(3, "fsync", "0", at(5, "/v/new")),
		call(4, "renameat", "0", at(4, "/v"), str("new"), at(4, "/v"), str("file")),
		call(5, "fsync", "0", at(4, "/v")),
		call(6, "write", "1", "3<pipe:[1]>", str(`{"op":"open"}`), "1"),
		call(7, "pwrite64", "2", at(5, "/v/file"), str("XY"), "2", "4"),
		call(8, "fdatasync", "-1 EIO (Input/output error)", at(5, "/v/file")),
		call(9, "ftruncate", "0", at(5, "/v/file"), "5"),
		call(10, "fdatasync", "0", at(5, "/v/file")),
		call(11, "unlink", "0", str("/v/old")),
		call(12, "close", "0", at(5, "/v/file")),
	}
	tape, err := newTape("/v", map[string][]byte{"old": []byte("o")}, calls)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cut  cut
		want string
	}{
		{cut{line: 0, rest: "none"}, `old="o"`},
		{cut{line: 5, rest: "none"}, `old="o"`},
		{cut{line: 5, rest: "all"}, `file="abc" old="o"`},
		{cut{line: 6, rest: "none"}, `file="abc" old="o"`},
		{cut{line: 10, rest: "none"}, `file="abc" old="o"`},
		{cut{line: 10, rest: "all"}, `file="abc\x00X" old="o"`},
		{cut{line: 11, rest: "none"}, `file="abc\x00X" old="o"`},
		{cut{line: 12, rest: "none"}, `file="abc\x00X" old="o"`},
		{cut{line: 12, rest: "all"}, `file="abc\x00X"`},
		{cut{line: 12, rest: "none", syncs: 6}, `file="abc" old="o"`}, // the seeded bug
	} {
		if c.cut.syncs == 0 {
			c.cut.syncs = math.MaxInt
		}
		files, acks := tape.image(c.cut)
		var got []string
		for _, name := range slices.Sorted(maps.Keys(files)) {
			got = append(got, fmt.Sprintf("%s=%q", name, files[name]))
		}
		if s := strings.Join(got, " "); s != c.want || (len(acks) == 1) != (c.cut.line > 6) {
			t.Errorf("%s: %s and %d acknowledgements, want %s", c.cut, s, len(acks), c.want)
		}
	}
}

// A torn write keeps or loses whole sectors.
func TestTorn(t *testing.T) {
	data := strings.Repeat("x", 2000)
	tape, err := newTape("/v", nil, []strace.Call{
		call(0, "open", at(5, "/v/f"), str("/v/f"), "O_RDWR|O_CREAT", "0600"),
		call(1, "fsync", "0", at(5, "/v/f")),
		call(2, "pwrite64", "2000", at(5, "/v/f"), str(data), "2000", "100"),
		call(3, "write", "1", "3<pipe:[1]>", str(`{}`), "1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for seed := range uint64(200) {
		files, _ := tape.image(cut{line: 4, rest: "torn", keep: 0.6, seed: seed, syncs: math.MaxInt})
		pattern := ""
		for from := 0; from < len(files["f"]); from += sector {
			s := files["f"][from:min(from+sector, len(files["f"]))]
			n := bytes.Count(s, []byte("x"))
			if n != 0 && n != len(bytes.TrimLeft(s, "\x00")) {
				t.Fatalf("seed %d: half a sector", seed)
			}
			pattern += fmt.Sprint(min(n, 1))
		}
		seen[pattern] = true
	}
	if len(seen) < 16 {
		t.Errorf("only %d ways to tear it", len(seen))
	}
}

// What the replay does not understand, it does not pass over.
func TestUnknownCalls(t *testing.T) {
	open := call(0, "open", at(5, "/v/f"), str("/v/f"), "O_RDWR|O_CREAT", "0600")
	ack := call(2, "write", "1", "3<pipe:[1]>", str(`{}`), "1")
	for _, c := range []strace.Call{
		call(1, "fallocate", "0", at(5, "/v/f"), "0", "0", "100"),
		call(1, "writev", "3", at(5, "/v/f"), "[{iov_base=…}]", "1"),
		call(1, "dup", at(6, "/v/f"), at(5, "/v/f")),
		call(1, "mmap", "0x7f", "NULL", "4096", "PROT_READ|PROT_WRITE", "MAP_SHARED", at(5, "/v/f"), "0"),
		call(1, "pwrite64", "3", at(7, "/v/f"), str("abc"), "3", "0"),
		call(1, "mkdir", "0", str("/v/sub"), "0700"),
		call(1, "rename", "0", str("/v/f"), str("/w/f")),
	} {
		if _, err := newTape("/v", nil, []strace.Call{open, c, ack}); err == nil {
			t.Errorf("%s %v is passed over", c.Name, c.Args)
		}
	}
	if _, err := newTape("/v", nil, []strace.Call{open}); err == nil {
		t.Error("a trace without acknowledgements is taken")
	}
}
