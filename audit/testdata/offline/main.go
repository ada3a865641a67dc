// SPDX-License-Identifier: Apache-2.0

// Offline verifies a keyward export without keyward: offline KEY < export
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	size, err := verify(os.Args[1], bufio.NewReader(os.Stdin))
	fmt.Println(size, "records verified, error:", err)
	if err != nil {
		os.Exit(1)
	}
}

func verify(key string, in *bufio.Reader) (size int64, err error) {
	var checkpoint, line []byte
	for blank := 0; blank < 2 && err == nil; {
		checkpoint = append(checkpoint, line...)
		if line, err = in.ReadBytes('\n'); len(line) == 1 {
			blank++ // one divides text and signatures, one ends the checkpoint
		}
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return 0, err
	}
	signed, err := note.Open(checkpoint, note.VerifierList(verifier))
	if err != nil {
		return 0, err
	}
	var edge []tlog.Hash // roots of the full subtrees, from the left
	for ; ; size++ {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 {
			break
		}
		if err != nil || !bytes.HasPrefix(line, fmt.Appendf(nil, `{"seq":%d,`, size)) {
			return 0, fmt.Errorf("record %d is missing", size)
		}
		edge = append(edge, tlog.RecordHash(line[:len(line)-1]))
		for n := size; n&1 == 1; n >>= 1 {
			edge = append(edge[:len(edge)-2], tlog.NodeHash(edge[len(edge)-2], edge[len(edge)-1]))
		}
	}
	// TreeHash asks for just these hashes, in this order.
	root, err := tlog.TreeHash(size, tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return edge, nil }))
	if err != nil || signed.Text != fmt.Sprintf("%s\n%d\n%s\n", verifier.Name(), size, root) {
		return 0, fmt.Errorf("the records are not those of the checkpoint")
	}
	return size, nil
}
