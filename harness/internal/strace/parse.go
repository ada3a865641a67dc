// SPDX-License-Identifier: Apache-2.0

package strace

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Call is one system call as strace shows it.
type Call struct {
	Thread     string
	Name       string
	Args       []string // raw; Text and Path read them
	Result     string   // raw: a number, with a path behind a descriptor, or "-1 EIO (…)"; "?" if it never returned
	Injected   bool     // the result is a made one
	Start, End int      // lines of the trace; End is that of the last line if it never returned
}

// never stands behind a call of a thread that ended within it.
const never = " <detached ...>"

// Read reads a whole trace.
func Read(file string) (calls []Call, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parse(f)
}

func parse(r io.Reader) (calls []Call, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	open := map[string]int{} // by thread: the call that has not returned
	n := 0
	for ; ; n++ {
		line, err := in.ReadString('\n')
		if err == io.EOF && line == "" {
			break
		}
		if err != nil { // strace was killed within a line
			return nil, fmt.Errorf("trace line %d: %w", n+1, err)
		}
		thread, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		text = strings.TrimLeft(text, " ")
		if strings.HasPrefix(text, "---") || strings.HasPrefix(text, "+++") { // a signal, an end
			continue
		}
		if rest, ok := strings.CutPrefix(text, "<... "); ok {
			i, known := open[thread]
			_, rest, ok := strings.Cut(rest, " resumed>")
			if !known || !ok {
				return nil, fmt.Errorf("trace line %d: %.100q resumes nothing", n+1, text)
			}
			if strings.HasSuffix(rest, never) {
				continue
			}
			delete(open, thread)
			if err := calls[i].finish(rest, n); err != nil {
				return nil, fmt.Errorf("trace line %d: %w", n+1, err)
			}
			continue
		}
		name, rest, ok := strings.Cut(text, "(")
		if !ok {
			return nil, fmt.Errorf("trace line %d: %.100q is no call", n+1, text)
		}
		c := Call{Thread: thread, Name: name, Start: n}
		begun, unfinished := strings.CutSuffix(rest, " <unfinished ...>")
		begun, detached := strings.CutSuffix(begun, never)
		if unfinished || detached {
			c.add(begun)
			c.Result = "?"
			open[thread] = len(calls)
		} else if err := c.finish(rest, n); err != nil {
			return nil, fmt.Errorf("trace line %d: %w", n+1, err)
		}
		calls = append(calls, c)
	}
	for _, i := range open {
		calls[i].End = n
	}
	return calls, nil
}

// finish takes in the end of a call: arguments, ")" and the result.
func (c *Call) finish(text string, line int) error {
	eq := strings.LastIndex(text, " = ")
	if eq < 0 {
		return fmt.Errorf("%.100q has no result", text)
	}
	i := strings.LastIndex(text[:eq], ")")
	if i < 0 {
		return fmt.Errorf("%.100q has no end", text)
	}
	c.add(text[:i])
	c.Result = strings.TrimSpace(text[eq+len(" = "):])
	c.Result, c.Injected = strings.CutSuffix(c.Result, " (INJECTED)")
	if strings.HasPrefix(c.Result, "?") { // "? <unavailable>", "? ERESTARTSYS (…)"
		c.Result = "?"
	}
	c.End = line
	return nil
}

func (c *Call) add(args string) {
	for a := range strings.SplitSeq(args, ",") {
		if a = strings.TrimSpace(a); a != "" {
			c.Args = append(c.Args, a)
		}
	}
}

// Failed reports whether the call did not do what was asked.
func (c *Call) Failed() bool { return strings.HasPrefix(c.Result, "-") || c.Result == "?" }

// Touches reports whether an argument names dir or something in it.
func (c *Call) Touches(dir string) bool {
	for _, a := range c.Args {
		if strings.Contains(a, tohex(dir)) {
			return true
		}
	}
	return false
}

// Text is an argument that is a string.
func (c *Call) Text(i int) ([]byte, error) {
	if i >= len(c.Args) || len(c.Args[i]) < 2 || c.Args[i][0] != '"' || !strings.HasSuffix(c.Args[i], `"`) {
		return nil, fmt.Errorf("%s: argument %d is not a whole string", c.Name, i)
	}
	return unhex(c.Args[i][1 : len(c.Args[i])-1])
}

// FD is an argument that is a descriptor, and the path behind it.
func (c *Call) FD(i int) (fd int, path string, err error) {
	if i >= len(c.Args) {
		return 0, "", fmt.Errorf("%s: no argument %d", c.Name, i)
	}
	return splitFD(c.Args[i])
}

// ResultFD is a result that is a descriptor, and the path behind it.
func (c *Call) ResultFD() (fd int, path string, err error) { return splitFD(c.Result) }

// Returned is a result that is a number.
func (c *Call) Returned() (int64, error) {
	n, _, _ := strings.Cut(c.Result, " ")
	return strconv.ParseInt(n, 0, 64)
}

func splitFD(s string) (fd int, path string, err error) {
	number, rest, found := strings.Cut(s, "<")
	if number != "AT_FDCWD" {
		if fd, err = strconv.Atoi(number); err != nil {
			return 0, "", err
		}
	}
	if !found {
		return fd, "", nil
	}
	rest, _, _ = strings.Cut(rest, ">")
	if !strings.HasPrefix(rest, `\x`) {
		return fd, rest, nil // pipe:[…], anon_inode:[…]
	}
	b, err := unhex(rest)
	return fd, string(b), err
}

// Int is an argument that is a number.
func (c *Call) Int(i int) (int64, error) {
	if i >= len(c.Args) {
		return 0, fmt.Errorf("%s: no argument %d", c.Name, i)
	}
	return strconv.ParseInt(c.Args[i], 0, 64)
}

func unhex(s string) ([]byte, error) {
	b := make([]byte, 0, len(s)/4)
	for ; len(s) >= 4 && s[0] == '\\' && s[1] == 'x'; s = s[4:] {
		b = append(b, 0)
		if _, err := hex.Decode(b[len(b)-1:], []byte(s[2:4])); err != nil {
			return nil, err
		}
	}
	if s != "" {
		return nil, fmt.Errorf("text that is not hexadecimal: %.20q", s)
	}
	return b, nil
}

func tohex(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, `\x%02x`, s[i])
	}
	return b.String()
}
