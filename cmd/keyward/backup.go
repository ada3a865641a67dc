// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newBackupCommand(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "backup -o FILE",
		Short: "Copy the whole vault into a file",
		Long: `Backup writes a copy of the whole vault as it is at one moment, while others use it. It holds no root key and no value in the
clear: who has it and the root key has every value, so keep the two apart. The file is yours alone to read, and on the disk when
the command ends.`,
		Example: `  keyward backup -o vault-monday.backup
  keyward backup | ssh other.example.com 'cat > vault-monday.backup'`,
		Args: want(0, 0, "-o FILE"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" && a.outTerm {
				return usagef("a backup is not for a terminal: write it to a file with -o FILE, or to a program")
			}
			ctx := cmd.Context()
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				progress := a.progress("KiB written")
				err := a.toSyncedFile(file, func(w io.Writer) error {
					return op.Backup(ctx, &meter{ctx: ctx, w: w, progress: progress, unit: 1024}, a.reason)
				})
				progress.end(err)
				if err == nil && file != "" {
					a.printf("the backup is in %s; only with the root key, which it does not hold, is it a vault", file)
				}
				return err
			})
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `FILE`, which must not exist")
	return c
}
