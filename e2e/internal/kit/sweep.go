// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// canary returns a value that stands nowhere else, made for one path.
func canary(path string) string {
	return "canary-" + strings.ToLower(rand.Text()) + "-" + filepath.Base(path)
}

// Hidden is an error if one of the values is in anything that the worker has: its environment, its memory, its files, what it
// wrote, and what it had the LLM told. known is a value that the worker was given in its environment.
func (k *Kit) Hidden(w *Worker, known string, values ...string) error {
	places, found, err := k.sweep(w, known, values)
	switch {
	case err != nil:
		return err
	case len(found) > 0:
		return fmt.Errorf("%s: a key that was not to be revealed is in %q", w.Name, found)
	}
	fmt.Printf("  %s%s: 0 of %d keys in %s\n", w.Name, w.user, len(values), places)
	return nil
}

// Revealed is an error unless the value, which the worker has asked for, is found in its memory and at the other places: so
// the search does find what is there.
func (k *Kit) Revealed(w *Worker, known, value string, places ...string) error {
	_, found, err := k.sweep(w, known, []string{value})
	if err != nil {
		return err
	}
	for _, p := range append(places, "memory") {
		if !slices.Contains(found, p) && !(p == "memory" && !w.hasProc()) {
			return fmt.Errorf("%s: the search is blind: a key that was revealed is in %q, and not in %s", w.Name, found, p)
		}
	}
	fmt.Printf("  %s: the key that it read is in %q, as it has to be\n", w.Name, found)
	return nil
}

// sweep returns what was looked into, and where one of the values is. It is an error if known is not found where it is.
func (k *Kit) sweep(w *Worker, known string, values []string) (places string, found []string, err error) {
	if known == "" || len(values) == 0 || slices.Contains(values, "") {
		return "", nil, errors.New("nothing to look for")
	}
	look := func(place string, text []byte) {
		if holds(text, values) && !slices.Contains(found, place) {
			found = append(found, place)
		}
	}
	seen, _ := k.Upstream.Played() // of its error the group hears otherwise
	look("stdout", []byte(w.out))
	stderr, err := os.ReadFile(w.stderr)
	if err != nil {
		return "", nil, err
	}
	look("stderr", stderr)
	look("LLM", []byte(seen))
	files, size := 0, 0
	err = filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		look(strings.TrimPrefix(path, w.dir+string(filepath.Separator)), text)
		return err
	})
	if err != nil {
		return "", nil, err
	}
	if !w.hasProc() {
		return fmt.Sprintf("%d files, stdout, stderr, LLM; there is no %s to see the memory in", files, w.proc("")), found, nil
	}
	environ, err := os.ReadFile(w.proc("environ"))
	look("environment", environ)
	sees := false
	err = errors.Join(err, w.memory(func(text []byte) {
		size += len(text)
		look("memory", text)
		sees = sees || bytes.Contains(text, []byte(known))
	}))
	if err == nil && (!sees || !bytes.Contains(environ, []byte(known))) {
		err = fmt.Errorf("%s: the search is blind: it does not find what the worker was given", w.Name)
	}
	return fmt.Sprintf("environment, %d MiB of memory, %d files, stdout, stderr, LLM", size>>20, files), found, err
}
