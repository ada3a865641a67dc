// SPDX-License-Identifier: Apache-2.0

// Offline verifies a keyward export without keyward: offline KEY [ROOT] < export
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	first, size, err := verify(os.Args[1], append(os.Args[2:], "")[0], bufio.NewReader(os.Stdin))
	fmt.Println("records from", first, "to below", size, "verified, error:", err)
	if err != nil {
		os.Exit(1)
	}
}

func verify(key, from string, in *bufio.Reader) (first, size int64, err error) {
	var checkpoint, line []byte
	for blank := 0; blank < 2 && err == nil; {
		checkpoint = append(checkpoint, line...)
		if line, err = in.ReadBytes('\n'); len(line) == 1 {
			blank++ // one divides text and signatures, one ends the checkpoint
		}
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return 0, 0, err
	}
	signed, err := note.Open(checkpoint, note.VerifierList(verifier))
	if err != nil {
		return 0, 0, err
	}
	var edge []tlog.Hash // roots of the full subtrees, from the left
	known := tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return edge, nil })
	line, _ = in.ReadBytes('\n')
	if bytes.HasPrefix(line, []byte("edge ")) { // stands for the records below first
		b, _ := base64.RawStdEncoding.DecodeString(string(line[5:]))
		if len(b) < 8 || fmt.Sprintf("edge %s\n", base64.RawStdEncoding.EncodeToString(b)) != string(line) {
			return 0, 0, fmt.Errorf("the edge is malformed")
		}
		first = int64(binary.BigEndian.Uint64(b))
		for b = b[8:]; len(b) >= 32; b = b[32:] {
			edge = slices.Insert(edge, 0, tlog.Hash(b[:32]))
		}
		if first <= 0 || first>>60 > 0 || len(b) > 0 {
			return 0, 0, fmt.Errorf("the edge is malformed")
		}
		if root, err := tlog.TreeHash(first, known); err != nil || root.String() != from {
			return 0, 0, fmt.Errorf("verify the archive that ends at %d and pass the root in its checkpoint", first)
		}
		line, _ = in.ReadBytes('\n')
	}
	for size = first; len(line) > 0; size++ {
		if line[len(line)-1] != '\n' || !bytes.HasPrefix(line, fmt.Appendf(nil, `{"seq":%d,`, size)) {
			return 0, 0, fmt.Errorf("record %d is missing", size)
		}
		edge = append(edge, tlog.RecordHash(line[:len(line)-1]))
		for n := size; n&1 == 1; n >>= 1 {
			edge = append(edge[:len(edge)-2], tlog.NodeHash(edge[len(edge)-2], edge[len(edge)-1]))
		}
		line, _ = in.ReadBytes('\n')
	}
	// TreeHash asks for just these hashes, in this order.
	root, err := tlog.TreeHash(size, known)
	if err != nil || signed.Text != fmt.Sprintf("%s\n%d\n%s\n", verifier.Name(), size, root) {
		return 0, 0, fmt.Errorf("the records are not those of the checkpoint")
	}
	return first, size, nil
}
