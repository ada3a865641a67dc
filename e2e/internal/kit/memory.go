// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
)

// proc is a file of the worker's in /proc, of Linux.
func (w *Worker) proc(name string) string { return fmt.Sprintf("/proc/%d/%s", w.cmd.Process.Pid, name) }

func (w *Worker) hasProc() bool {
	_, err := os.Stat(w.proc("maps"))
	return err == nil
}

// memory hands out all readable memory of the worker in pieces, which overlap.
func (w *Worker) memory(look func([]byte)) error {
	maps, err1 := os.Open(w.proc("maps"))
	mem, err2 := os.Open(w.proc("mem"))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	defer maps.Close()
	defer mem.Close()
	const piece, overlap = 16 << 20, 4 << 10
	b := make([]byte, piece+overlap)
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil || mode[0] != 'r' {
			continue // the addresses of [vsyscall] are no int64
		}
		for at := from; at < to; at += piece {
			n, _ := mem.ReadAt(b[:min(piece+overlap, to-at)], at) // some regions, as of devices, cannot be read
			look(b[:n])
		}
	}
	return lines.Err()
}

// holds reports whether text has one of the values, as it is, in hex, or in base64 at any alignment.
func holds(text []byte, values []string) bool {
	for _, v := range values {
		forms := []string{v, hex.EncodeToString([]byte(v))}
		for behind := range 3 {
			b := base64.RawStdEncoding.EncodeToString(append(make([]byte, behind), v...))
			forms = append(forms, b[4:len(b)-4]) // without the ends, which depend on the neighbours
		}
		for _, f := range forms {
			if bytes.Contains(text, []byte(f)) {
				return true
			}
		}
	}
	return false
}
