// SPDX-License-Identifier: Apache-2.0

package strace

import (
	"fmt"
	"strings"
	"testing"
)

const trace = `7 openat(AT_FDCWD<\x2f\x74>, "\x2f\x61", O_RDWR|O_CREAT, 0600) = 9<\x2f\x61>
7 pwrite64(9<\x2f\x61>, "\x00\x2c\x22", 3, 4096 <unfinished ...>
8 fsync(9<\x2f\x61>) = -1 EIO (Input/output error) (INJECTED)
7 <... pwrite64 resumed>)           = 3
8 write(3<pipe:[12]>, "\x7b", 1)    = 1
8 --- SIGURG {si_signo=SIGURG} ---
8 close(9<\x2f\x61> <unfinished ...>
7 fsync(9<\x2f\x61>)                = ? <unavailable>
8 <... close resumed> <detached ...>
9 write(9<\x2f\x61>, "\x00", 1 <detached ...>
9 +++ killed by SIGKILL +++
`

func TestParse(t *testing.T) {
	calls, err := parse(strings.NewReader(trace))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range calls {
		got = append(got, fmt.Sprint(c.Thread, " ", c.Name, len(c.Args), " ", c.Start, "-", c.End, " failed ", c.Failed(), " injected ", c.Injected))
	}
	want := `7 openat4 0-0 failed false injected false
7 pwrite644 1-3 failed false injected false
8 fsync1 2-2 failed true injected true
8 write3 4-4 failed false injected false
8 close1 6-11 failed true injected false
7 fsync1 7-7 failed true injected false
9 write3 9-11 failed true injected false`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	open, put := calls[0], calls[1]
	if text, err := open.Text(1); string(text) != "/a" || err != nil {
		t.Errorf("text %q, %v", text, err)
	}
	if fd, path, err := open.ResultFD(); fd != 9 || path != "/a" || err != nil {
		t.Errorf("result %d %s %v", fd, path, err)
	}
	if text, err := put.Text(1); string(text) != "\x00,\"" || err != nil {
		t.Errorf("text %q, %v", text, err)
	}
	if at, err := put.Int(3); at != 4096 || err != nil {
		t.Errorf("offset %d, %v", at, err)
	}
	if !put.Touches("/a") || put.Touches("/b") || calls[3].Touches("/a") {
		t.Error("Touches is wrong")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, bad := range []string{
		"7 fsync(9<\\x2f>) = 0", "7 fsync(9<\\x2f>)\n", "7 <... fsync resumed>) = 0\n", "7 what\n", "7 write(1, \"\\x00\"..., 900) 3\n",
	} {
		if calls, err := parse(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is %+v", bad, calls)
		}
	}
	calls, err := parse(strings.NewReader("7 write(1, \"\\x00\"..., 900) = 900\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := calls[0].Text(1); err == nil {
		t.Error("a string that was cut is taken for whole")
	}
}
