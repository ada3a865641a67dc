// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// proofHeader begins a C2SP tlog-proof.
const proofHeader = "c2sp.org/tlog-proof@v1\nindex "

func newAuditProveCommand(a *app) *cobra.Command {
	var checkpoint string
	c := &cobra.Command{
		Use:   "prove SEQ",
		Short: "Print a record with a proof that the log has it",
		Long: `Prove prints the line of a record, and behind it a C2SP tlog-proof that the log of a checkpoint has it: of now, or one that was
kept. Who has the public key of the log checks that with keyward audit verify-proof, without the vault and the other records.`,
		Example: `  keyward audit prove 42 > record-42.txt
  keyward audit prove 42 --checkpoint monday.txt`,
		Args: want(1, 1, "SEQ [--checkpoint FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || seq < 0 {
				return usagef("SEQ is the number of a record, as keyward audit list shows it")
			}
			ctx := cmd.Context()
			return a.withLog(ctx, func(l *vault.Log) error { return a.prove(ctx, l, seq, checkpoint) })
		},
	}
	c.Flags().StringVar(&checkpoint, "checkpoint", "", "prove it to the checkpoint in this `FILE`")
	return c
}

func (a *app) prove(ctx context.Context, l *vault.Log, seq int64, file string) (err error) {
	var checkpoint []byte
	if file == "" {
		checkpoint, err = l.Checkpoint(ctx)
	} else {
		checkpoint, err = readCheckpoint(l.Key(), file)
	}
	if err != nil {
		return err
	}
	line, proof, err := l.Prove(ctx, seq, checkpoint)
	if err != nil {
		return evidence(err)
	}
	hashes, err := proof.MarshalText()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s\n%s%d\n%s\n%s", line, proofHeader, seq, hashes, checkpoint)
	return err
}

func newAuditVerifyProofCommand(a *app) *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "verify-proof FILE --key KEY",
		Short: "Check what audit prove has printed, without a vault",
		Long: `Verify-proof checks what keyward audit prove has printed, and prints the record if the log has it. It needs the public key of the
log, from elsewhere than the file. FILE may be - for the standard input. The exit code is 5 if the proof does not hold.`,
		Example: "  keyward audit verify-proof record-42.txt --key 'keyward/0011…+c31d896e+Aepk…'",
		Args:    want(1, 1, "FILE --key KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if key == "" {
				return errNoLogKey
			}
			if err := checkLogKey(key); err != nil {
				return err
			}
			var b []byte
			var err error
			if args[0] == "-" {
				b, err = interruptible(cmd.Context(), func() ([]byte, error) { return io.ReadAll(io.LimitReader(a.in, 1<<20)) })
			} else {
				b, err = readSmall(args[0])
			}
			if err != nil {
				return err
			}
			line, err := checkProof(b, key)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s\n", line)
			return err
		},
	}
	c.Flags().StringVar(&key, "key", "", "the log's public `KEY`")
	return c
}

// checkProof returns the line that b proves.
func checkProof(b []byte, key string) ([]byte, error) {
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	text, ok := strings.CutPrefix(string(rest), proofHeader)
	head, checkpoint, found := strings.Cut(text, "\n\n")
	index, hashes, _ := strings.Cut(head+"\n", "\n")
	seq, err := strconv.ParseInt(index, 10, 64)
	var proof audit.Proof
	if err == nil {
		err = proof.UnmarshalText([]byte(hashes))
	}
	if !ok || !found || err != nil {
		return nil, fmt.Errorf("%w: it is no record with its proof", errEvidence)
	}
	h, err := audit.ParseCheckpoint([]byte(checkpoint), key)
	if err == nil {
		err = audit.CheckRecord(line, seq, h, proof)
	}
	if err == nil {
		_, err = audit.ParseRecord(line) // so that it can be printed
	}
	return line, evidence(err)
}
