// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// canary returns a value that stands nowhere else, made for one path.
func canary(path string) string {
	return "canary-" + strings.ToLower(rand.Text()) + "-" + filepath.Base(path)
}

// Sweep looks for a value in all that the worker has, while it still stands: its environment, its memory, its files, what it
// wrote, and what it had the LLM told. It returns where the value is, as it is or encoded.
//
// known is a value that the worker does have in its environment. If it is not found there and in its memory, the sweep is
// blind, which is an error.
func (k *Kit) Sweep(w *Worker, known, value string) (found []string, err error) {
	if value == "" || known == "" {
		return nil, errors.New("nothing to look for")
	}
	seen, _ := k.Upstream.Played() // of its error the group hears otherwise
	look := func(place string, text []byte) {
		if holds(text, value) {
			found = append(found, place)
		}
	}
	look("stdout", []byte(w.Out))
	look("stderr", []byte(w.stderr.String()))
	look("LLM", []byte(seen))
	err = filepath.WalkDir(w.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		look(strings.TrimPrefix(path, w.Dir+"/"), text)
		return err
	})
	if err != nil {
		return nil, err
	}
	proc := fmt.Sprintf("/proc/%d/", w.cmd.Process.Pid)
	if _, err := os.Stat(proc + "maps"); errors.Is(err, fs.ErrNotExist) {
		fmt.Println("  memory and environment are not looked into: there is no", proc)
		return found, nil
	}
	environ, err := os.ReadFile(proc + "environ")
	look("environment", environ)
	hasValue, hasKnown, err2 := memory(proc, value, known)
	if hasValue {
		found = append(found, "memory")
	}
	if err = errors.Join(err, err2); err == nil && (!hasKnown || !bytes.Contains(environ, []byte(known))) {
		err = errors.New("the sweep is blind: it does not find what the worker was given")
	}
	return found, err
}

// memory reports which of two values are in the memory of a process.
func memory(proc, value, known string) (hasValue, hasKnown bool, err error) {
	maps, err1 := os.Open(proc + "maps")
	mem, err2 := os.Open(proc + "mem")
	if err := errors.Join(err1, err2); err != nil {
		return false, false, err
	}
	defer maps.Close()
	defer mem.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil || mode[0] != 'r' {
			continue // [vsyscall] lies beyond an int64
		}
		const piece, overlap = 16 << 20, 4 << 10
		for at := from; at < to; at += piece {
			b := make([]byte, min(piece+overlap, to-at))
			n, _ := mem.ReadAt(b, at) // some regions, as of devices, cannot be read
			hasValue = hasValue || holds(b[:n], value)
			hasKnown = hasKnown || bytes.Contains(b[:n], []byte(known))
		}
	}
	return hasValue, hasKnown, nil
}

// holds reports whether text has value, as it is, in hex, or in base64 at any alignment.
func holds(text []byte, value string) bool {
	forms := []string{value, hex.EncodeToString([]byte(value))}
	for behind := range 3 {
		b := base64.RawStdEncoding.EncodeToString(append(make([]byte, behind), value...))
		forms = append(forms, b[4:len(b)-4]) // without the ends, which depend on the neighbours
	}
	for _, f := range forms {
		if bytes.Contains(text, []byte(f)) {
			return true
		}
	}
	return false
}
