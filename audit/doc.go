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
// The operations are create get use put delete destroy list versions policy issue revoke freeze thaw freezes whose tokens key
// keys log rotate root backup restore archive purge clock denials.
// A refusal's cause is one of: of a dead token bad_token bad_key network expired not_yet_issued revoked used_up key_ended
// spawn_ended; of a live one not_for_this_credential scope frozen widens too_many; within its scope not_found no_key
// not_frozen version case unsettled policy tier secret_expired placement host which_host no_hosts needs_url clock; of an
// operator clock_fine archived; of any caller invalid. A failure's is tampered, invalid, not_found, conflict, wrong_key, no_key,
// kms_unavailable, cancelled, deadline, closed or error. A grant to an operator that a token
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
// An export is a text file:
//
//	checkpoint ‖ newline ‖ edge ‖ for each record that the checkpoint covers, from the first: line ‖ newline
//
// In the export of a whole log the first record is 0 and the edge is empty. Records can be archived: moved out of the log
// into a file. What is left, and each archive but the oldest, begins at a later record, and its edge is a line of its own:
//
//	"edge " ‖ base64 without padding of: first(8) ‖ hash(32) for each bit that is set in first ‖ newline
//
// first is the number of the record that follows, big-endian, and the hashes are the roots of the full subtrees of which
// the tree over the first records consists, from the lowest bit, so the rightmost and smallest subtree, up. No record line
// begins like it, so grep '^{' gives the records to jq. It stands before the records because whoever verifies needs it to
// begin with, and reads once. It is not signed: lines and edge lead to the root that is signed, and another edge does not.
// The log of the line above with another like it archived after the first record begins with
//
//	edge AAAAAAAAAAE8FTQjXCQ1CKuSNYn3/AwZCvNUqx/qO6AG8hmON9DLPA
//
// Nothing follows the last record. A log in parts is verified part by part from the oldest (VerifyFrom): the checkpoint of
// each archive is where the next part begins. An export that begins at a later record is never taken for a whole one.
// Verify looks at signature, numbers and root and does not parse records; the root proves that they are what was signed,
// ParseRecord that they are well-formed.
//
// Proofs work across a cut: the edge has what a proof of a later record, or from a later size, needs of what is gone. For a
// record in an archive two proofs are shown: that the checkpoint of its archive has it (ProveRecord, with the lines of
// the archive), and that the newest log begins with that checkpoint (ProveConsistent, over the log as it is now).
//
// No code of keyward is needed to check one. This program does it with golang.org/x/mod/sumdb alone; a test builds it,
// from testdata/offline, and runs it on good and on changed exports:
//
//	// Offline verifies a keyward export without keyward: offline KEY [ROOT] < export
//	package main
//
//	import (
//		"bufio"
//		"bytes"
//		"encoding/base64"
//		"encoding/binary"
//		"fmt"
//		"os"
//		"slices"
//
//		"golang.org/x/mod/sumdb/note"
//		"golang.org/x/mod/sumdb/tlog"
//	)
//
//	func main() {
//		first, size, err := verify(os.Args[1], append(os.Args[2:], "")[0], bufio.NewReader(os.Stdin))
//		fmt.Println("records from", first, "to below", size, "verified, error:", err)
//		if err != nil {
//			os.Exit(1)
//		}
//	}
//
//	func verify(key, from string, in *bufio.Reader) (first, size int64, err error) {
//		var checkpoint, line []byte
//		for blank := 0; blank < 2 && err == nil; {
//			checkpoint = append(checkpoint, line...)
//			if line, err = in.ReadBytes('\n'); len(line) == 1 {
//				blank++ // one divides text and signatures, one ends the checkpoint
//			}
//		}
//		verifier, err := note.NewVerifier(key)
//		if err != nil {
//			return 0, 0, err
//		}
//		signed, err := note.Open(checkpoint, note.VerifierList(verifier))
//		if err != nil {
//			return 0, 0, err
//		}
//		var edge []tlog.Hash // roots of the full subtrees, from the left
//		known := tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return edge, nil })
//		line, _ = in.ReadBytes('\n')
//		if bytes.HasPrefix(line, []byte("edge ")) { // stands for the records below first
//			b, _ := base64.RawStdEncoding.DecodeString(string(line[5:]))
//			if len(b) < 8 || fmt.Sprintf("edge %s\n", base64.RawStdEncoding.EncodeToString(b)) != string(line) {
//				return 0, 0, fmt.Errorf("the edge is malformed")
//			}
//			first = int64(binary.BigEndian.Uint64(b))
//			for b = b[8:]; len(b) >= 32; b = b[32:] {
//				edge = slices.Insert(edge, 0, tlog.Hash(b[:32]))
//			}
//			if first <= 0 || first>>60 > 0 || len(b) > 0 {
//				return 0, 0, fmt.Errorf("the edge is malformed")
//			}
//			if root, err := tlog.TreeHash(first, known); err != nil || root.String() != from {
//				return 0, 0, fmt.Errorf("verify the archive that ends at %d and pass the root in its checkpoint", first)
//			}
//			line, _ = in.ReadBytes('\n')
//		}
//		for size = first; len(line) > 0; size++ {
//			if line[len(line)-1] != '\n' || !bytes.HasPrefix(line, fmt.Appendf(nil, `{"seq":%d,`, size)) {
//				return 0, 0, fmt.Errorf("record %d is missing", size)
//			}
//			edge = append(edge, tlog.RecordHash(line[:len(line)-1]))
//			for n := size; n&1 == 1; n >>= 1 {
//				edge = append(edge[:len(edge)-2], tlog.NodeHash(edge[len(edge)-2], edge[len(edge)-1]))
//			}
//			line, _ = in.ReadBytes('\n')
//		}
//		// TreeHash asks for just these hashes, in this order.
//		root, err := tlog.TreeHash(size, known)
//		if err != nil || signed.Text != fmt.Sprintf("%s\n%d\n%s\n", verifier.Name(), size, root) {
//			return 0, 0, fmt.Errorf("the records are not those of the checkpoint")
//		}
//		return first, size, nil
//	}
//
// # Compatibility
//
// What a release wrote, every later one reads and verifies; testdata/vectors holds lines, checkpoints and exports with
// the verdict on each. A field or line that version 1 does not name means another version, and is refused.
package audit
