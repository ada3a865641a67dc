// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"

	"github.com/keyward-go/keyward/audit"
)

// checkpointFile is a file of one checkpoint, or of several that were appended.
type checkpointFile struct {
	name        string
	checkpoints [][]byte
}

func readCheckpoints(names []string) ([]checkpointFile, error) {
	var files []checkpointFile
	for _, name := range names {
		b, err := readSmall(name)
		if err != nil {
			return nil, err
		}
		f := checkpointFile{name, splitNotes(b)}
		if len(f.checkpoints) == 0 {
			return nil, usagef("--checkpoint: %s is empty", name)
		}
		files = append(files, f)
	}
	return files, nil
}

// readCheckpoint returns the newest checkpoint of a file, which the key has to have signed: the last, since they are appended.
func readCheckpoint(key, name string) ([]byte, error) {
	files, err := readCheckpoints([]string{name})
	if err != nil {
		return nil, err
	}
	all, err := signedBy(key, files)
	if err != nil {
		return nil, err
	}
	return all[len(all)-1], nil
}

// splitNotes cuts signed notes apart: the signatures of each end it, and they alone begin with a dash and a space. Blank lines
// between two belong to neither.
func splitNotes(b []byte) (notes [][]byte) {
	start, end, signed := 0, 0, false
	add := func() {
		if n := bytes.TrimLeft(b[start:end], "\n"); len(n) > 0 {
			notes = append(notes, n)
		}
	}
	for line := range bytes.Lines(b) {
		signature := bytes.HasPrefix(line, []byte("— "))
		if signed && !signature {
			add()
			start = end
		}
		signed = signature
		end += len(line)
	}
	add()
	return notes
}

// signedBy returns the checkpoints of all files. One that another key has signed is an alarm: the file is the wrong one or was changed,
// or another vault stands where the one was. What nobody has signed is the wrong file.
func signedBy(key string, files []checkpointFile) (all [][]byte, err error) {
	for _, f := range files {
		for i, c := range f.checkpoints {
			_, err := audit.ParseCheckpoint(c, key)
			switch {
			case err == nil:
				all = append(all, c)
			case !bytes.Contains(c, []byte("\n\n— ")):
				return nil, usagef("--checkpoint: %s: number %d in it is no checkpoint: is it the right file?", f.name, i+1)
			default:
				return nil, fmt.Errorf("%w: %s: number %d in it is no checkpoint that the key of this log has signed: %v\n"+
					"  it is of another vault's log, or was changed: is it the right file? If it is, another vault stands where the one was:\n"+
					"  compare keyward key with the public key that you kept", errEvidence, f.name, i+1, err)
			}
		}
	}
	return all, nil
}
