// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newCheckpointCommand(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "checkpoint",
		Short: "Print a signed checkpoint of the log",
		Long: `Checkpoint prints the size and root of the log as it is now, signed. Keep one now and then where the keeper of the vault cannot
change it: another machine, a mailbox, paper. With it keyward audit verify finds every later change of what it covers, and that
the vault was put back to an older state. Several may be appended to one file: it takes them all.`,
		Example: `  keyward checkpoint -o monday.txt
  keyward checkpoint | ssh other.example.com 'cat >> keyward-checkpoints'`,
		Args: want(0, 0, "[-o FILE]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withLog(ctx, func(l *vault.Log) error {
				checkpoint, err := l.Checkpoint(ctx)
				if err != nil {
					return err
				}
				return a.toSyncedFile(file, func(w io.Writer) error {
					_, err := w.Write(checkpoint)
					return err
				})
			})
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `FILE`, which must not exist")
	return c
}

func newLogKeyCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Print the public key of the log",
		Long: `Key prints the public key with which everyone checks checkpoints, exports and proofs of the log. It is not secret. Whoever checks
should have it from the day the vault was made.`,
		Example: "  keyward key",
		Args:    want(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLog(cmd.Context(), func(l *vault.Log) error {
				_, err := fmt.Fprintln(a.out, l.Key())
				return err
			})
		},
	}
}
