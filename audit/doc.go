// SPDX-License-Identifier: Apache-2.0

// Package audit is keyward's log: the record, the tree over all records, the signed checkpoint, proofs, the export,
// and the verification of all of these. It needs no vault and no secret; whoever checks a log needs the log's public
// key, from the day the vault was made, and better a checkpoint of an earlier visit too.
//
// With the key alone, Verify finds every change made by someone who has not the signing key. With an earlier
// checkpoint it finds every edit, drop, reorder and cut of what that checkpoint covers, also by the keeper of the
// signing key. Two checkpoints of one log that no proof joins show a fork. What nobody kept a checkpoint of, the
// keeper can rewrite unseen; so keep one elsewhere. That a thing was never recorded, no log can show.
//
// # Record, version 1
//
// A record is one line of JSON without spaces and without its newline, at most 16 KiB, with these fields in this order:
//
//	seq time outcome cause uses
//	op operator agent run user tenant token target path version source method host addr reason call trace count
//	detail metadata
//
// seq, time, outcome and op are always there; the others are left out when they are zero or empty. seq, version and
// count are decimal numbers, uses is an array of them, metadata an object of strings with its keys sorted bytewise,
// the rest are strings. seq counts from 0. time is UTC with nine decimals. outcome is granted, denied or failed.
//
// In strings U+0000–001F, U+007F–009F, U+061C, U+200B–200F, U+2028–202E, U+2066–2069, U+FEFF, the quote and the
// backslash are written \uXXXX in lower-case hex; nothing else is escaped. Lines are UTF-8: a byte of text that is not
// is written as U+FFFD, and a line that holds one is refused. A record has one spelling: ParseRecord accepts what
// encoding the answer gives back, and nothing else. An example:
//
//	{"seq":0,"time":"2026-11-20T09:30:00.000000000Z","outcome":"granted","op":"get"}
//
// The operations are create get use put delete list versions policy issue revoke freeze thaw whose tokens key keys denials.
// A refusal's cause is one of: of a dead token bad_token bad_key network expired not_yet_issued revoked used_up key_ended
// spawn_ended; of a live one not_for_this_credential scope frozen widens too_many; within its scope not_found no_key
// not_frozen version case unsettled policy tier secret_expired host no_hosts needs_url clock; of any caller invalid. A
// failure's is tampered, kms_unavailable, cancelled, deadline, closed, invalid or error. A grant to an operator that a token
// would not have been given has override: and the cause; the record of a spawn's end has spawn_ended. In detail times are
// Unix seconds and uses is the most that a grant allows.
//
// # Tree
//
// The lines, without their newlines, are the leaves of an RFC 6962 tree, as in golang.org/x/mod/sumdb/tlog. The leaf
// hash is SHA-256 of a zero byte and the line, an inner hash that of a one byte and two hashes, the root of the empty
// tree that of nothing. The example's leaf hash, and so the root of a log of it alone, in base64:
//
//	PBU0I1wkNQirkjWJ9/wMGQrzVKsf6jugBvIZjjfQyzw=
//
// # Checkpoint
//
// A checkpoint is a C2SP tlog-checkpoint: a signed note (golang.org/x/mod/sumdb/note) of three lines, which are the
// origin, the size and the root, then a blank line and an Ed25519 signature by the key of that name. There are no
// extension lines in version 1. Signatures by others may follow and are ignored. The example log's:
//
//	keyward/00112233445566778899aabbccddeeff
//	1
//	PBU0I1wkNQirkjWJ9/wMGQrzVKsf6jugBvIZjjfQyzw=
//
//	— keyward/00112233445566778899aabbccddeeff wx2JblMSUiq2QwFFjdkFlwi4u9FPYG3+HPOt5Xsoa0hooEeTXl8TvuqerGOutguYZeb6gZo7myLDHvMb7k6HoZYC+AI=
//
// under the key
//
//	keyward/00112233445566778899aabbccddeeff+c31d896e+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs
//
// # Export
//
// An export is a text file: a checkpoint, a blank line, then every record line that the checkpoint covers, from 0, each
// with its newline. Nothing follows in version 1. Archives will start at a later record and end in tree hashes; Verify
// refuses these, as all that it does not know. Verify looks at signature, numbers and root and does not parse records;
// the root proves that they are what was signed, ParseRecord that they are well-formed.
//
// No code of keyward is needed to check one. This program does it with golang.org/x/mod/sumdb alone; a test builds it,
// from testdata/offline, and runs it on good and on changed exports:
//
//	// Offline verifies a keyward export without keyward: offline KEY < export
//	package main
//
//	import (
//		"bufio"
//		"bytes"
//		"fmt"
//		"os"
//
//		"golang.org/x/mod/sumdb/note"
//		"golang.org/x/mod/sumdb/tlog"
//	)
//
//	func main() {
//		size, err := verify(os.Args[1], bufio.NewReader(os.Stdin))
//		fmt.Println(size, "records verified, error:", err)
//		if err != nil {
//			os.Exit(1)
//		}
//	}
//
//	func verify(key string, in *bufio.Reader) (size int64, err error) {
//		var checkpoint, line []byte
//		for blank := 0; blank < 2 && err == nil; {
//			checkpoint = append(checkpoint, line...)
//			if line, err = in.ReadBytes('\n'); len(line) == 1 {
//				blank++ // one divides text and signatures, one ends the checkpoint
//			}
//		}
//		verifier, err := note.NewVerifier(key)
//		if err != nil {
//			return 0, err
//		}
//		signed, err := note.Open(checkpoint, note.VerifierList(verifier))
//		if err != nil {
//			return 0, err
//		}
//		var edge []tlog.Hash // roots of the full subtrees, from the left
//		for ; ; size++ {
//			line, err := in.ReadBytes('\n')
//			if len(line) == 0 {
//				break
//			}
//			if err != nil || !bytes.HasPrefix(line, fmt.Appendf(nil, `{"seq":%d,`, size)) {
//				return 0, fmt.Errorf("record %d is missing", size)
//			}
//			edge = append(edge, tlog.RecordHash(line[:len(line)-1]))
//			for n := size; n&1 == 1; n >>= 1 {
//				edge = append(edge[:len(edge)-2], tlog.NodeHash(edge[len(edge)-2], edge[len(edge)-1]))
//			}
//		}
//		// TreeHash asks for just these hashes, in this order.
//		root, err := tlog.TreeHash(size, tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return edge, nil }))
//		if err != nil || signed.Text != fmt.Sprintf("%s\n%d\n%s\n", verifier.Name(), size, root) {
//			return 0, fmt.Errorf("the records are not those of the checkpoint")
//		}
//		return size, nil
//	}
//
// # Compatibility
//
// What a release wrote, every later one reads and verifies; testdata/vectors holds lines, checkpoints and exports with
// the verdict on each. A field or line that version 1 does not name means another version, and is refused.
package audit
