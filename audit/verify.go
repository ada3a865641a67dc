// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/mod/sumdb/note"
)

// Verify reads an export to its end and returns its head if all of it holds:
//
//   - the checkpoint is signed by key, which the caller had from elsewhere; a key inside the export is ignored;
//   - the lines are numbered 0, 1, 2, … and are as many as the checkpoint says, with nothing behind them;
//   - their tree has the checkpoint's root;
//   - each earlier checkpoint of the same key is the head of the tree at its size.
//
// Without an earlier checkpoint, whoever holds the signing key can rewrite everything; with one, nothing that it
// covers. Verify does not parse records and needs no more memory for a longer log. What does not hold is a
// *TamperError; any other error is of the key or the reader.
//
// An export that begins at a later record, because those before it were archived, is refused: records are missing, and
// only its caller can say that they were verified elsewhere. That is VerifyFrom.
func Verify(export io.Reader, key string, earlier ...[]byte) (Head, error) {
	return VerifyFrom(nil, export, key, earlier...)
}

// VerifyFrom is Verify for an export that may begin where the log of the checkpoint from ends: from is the checkpoint of
// the archive that holds what came before. So a log in parts is verified part by part, from the oldest, each with the
// checkpoint of the one before it. An earlier checkpoint of a size below that cannot be compared here; the error says so
// and is no *TamperError: verify the archive that covers it with it. With from nil it is Verify.
func VerifyFrom(from []byte, export io.Reader, key string, earlier ...[]byte) (Head, error) {
	verifier, err := newVerifier(key)
	if err != nil {
		return Head{}, err
	}
	begin, marks, err := parseEarlier(from, earlier, verifier)
	if err != nil {
		return Head{}, err
	}

	in := bufio.NewReaderSize(export, 4*maxLine)
	checkpoint, err := readCheckpoint(in)
	if err != nil {
		return Head{}, err
	}
	head, err := parseCheckpoint(checkpoint, verifier)
	if err != nil {
		return Head{}, err
	}
	if len(marks) > 0 && marks[len(marks)-1].Size > head.Size {
		return Head{}, &TamperError{head.Size, "the log is shorter than an earlier checkpoint"}
	}
	tree, err := readEdge(in)
	if err != nil {
		return Head{}, err
	}
	if tree.size > 0 && tree.size != begin.Size {
		return Head{}, &TamperError{0, fmt.Sprintf(
			"the export begins at record %d: verify the archive that ends there, then this from the checkpoint of that archive", tree.size)}
	}
	for len(marks) > 0 && marks[0].Size < tree.size {
		if marks[0].Size > 0 { // every log begins with the empty one
			return Head{}, fmt.Errorf("the export begins at record %d: an earlier checkpoint of %d records is for the archive that has them",
				tree.size, marks[0].Size)
		}
		marks = marks[1:]
	}

	proven := int64(0) // lines that an earlier checkpoint covers and fits
	for {
		for len(marks) > 0 && marks[0].Size == tree.size {
			if marks[0] != tree.Head() {
				return Head{}, &TamperError{proven, fmt.Sprintf("the first %d records are not those of an earlier checkpoint", tree.size)}
			}
			proven, marks = marks[0].Size, marks[1:]
		}
		line, err := readLine(in)
		if err == io.EOF {
			break
		}
		if err != nil {
			return Head{}, lineError(err, tree.size)
		}
		if tree.size == head.Size {
			return Head{}, &TamperError{tree.size, "there is more than the checkpoint covers"}
		}
		if !hasSeq(line, tree.size) {
			return Head{}, &TamperError{tree.size, "the line is not a record of this number"}
		}
		tree.Append(line)
	}
	if tree.size < head.Size {
		return Head{}, &TamperError{tree.size, fmt.Sprintf("missing, of the %d that the checkpoint covers", head.Size)}
	}
	if tree.Head() != head {
		return Head{}, &TamperError{proven, "this record or a later one is not what the checkpoint covers"}
	}
	return head, nil
}

// parseEarlier returns the head to begin from, and all heads that the tree must have on its way, smallest first.
func parseEarlier(from []byte, earlier [][]byte, verifier note.Verifier) (begin Head, marks []Head, err error) {
	if from != nil {
		if begin, err = parseCheckpoint(from, verifier); err != nil {
			return Head{}, nil, fmt.Errorf("checkpoint to begin from: %w", err)
		}
		marks = append(marks, begin)
	}
	for i, checkpoint := range earlier {
		h, err := parseCheckpoint(checkpoint, verifier)
		if err != nil {
			return Head{}, nil, fmt.Errorf("earlier checkpoint %d: %w", i, err)
		}
		marks = append(marks, h)
	}
	slices.SortFunc(marks, func(a, b Head) int { return cmp.Compare(a.Size, b.Size) })
	return begin, marks, nil
}

// readEdge reads the line that stands for archived records, if there is one.
func readEdge(in *bufio.Reader) (t Tree, err error) {
	start, err := in.Peek(len(edgePrefix))
	if err != nil && err != io.EOF {
		return t, lineError(err, 0)
	}
	if string(start) != edgePrefix {
		return t, nil
	}
	line, err := readLine(in)
	if err != nil {
		return t, lineError(err, 0)
	}
	if t.UnmarshalText(line[len(edgePrefix):]) != nil || t.size == 0 {
		return Tree{}, &TamperError{0, "the edge, which stands for the records that are not here, is malformed"}
	}
	return t, nil
}

var (
	errCut      = errors.New("the last line has no newline")
	errLineSize = errors.New("the line is longer than 16 KiB")
)

// readLine returns the next line without its newline, valid until the next call, or io.EOF behind the last.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	switch {
	case err == io.EOF && len(line) > 0:
		return nil, errCut
	case err == bufio.ErrBufferFull || err == nil && len(line) > maxLine+1:
		return nil, errLineSize
	case err != nil:
		return nil, err
	}
	return line[:len(line)-1], nil
}

func lineError(err error, seq int64) error {
	if err == errCut || err == errLineSize {
		return &TamperError{seq, err.Error()}
	}
	return fmt.Errorf("read export: %w", err)
}

// ReadCheckpoint returns the checkpoint with which an export begins: what VerifyFrom wants of an archive. It is not checked.
func ReadCheckpoint(export io.Reader) ([]byte, error) {
	return readCheckpoint(bufio.NewReaderSize(export, 4*maxLine))
}

// readCheckpoint returns everything before the second blank line; the first divides the text from the signatures.
func readCheckpoint(in *bufio.Reader) ([]byte, error) {
	var checkpoint []byte
	for blank := 0; ; {
		line, err := readLine(in)
		if err == io.EOF {
			return nil, badCheckpoint("is cut")
		}
		if err != nil {
			return nil, lineError(err, -1)
		}
		if len(line) == 0 {
			if blank++; blank == 2 {
				return checkpoint, nil
			}
		}
		if len(checkpoint)+len(line) >= maxCheckpoint {
			return nil, badCheckpoint("is longer than 64 KiB")
		}
		checkpoint = append(append(checkpoint, line...), '\n')
	}
}
