// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newAuditExportCommand(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the whole log, with a checkpoint of it",
		Long: `Export writes the log as a text file that keyward audit verify, or a short program without keyward, checks with the public key
of the log alone: a signed checkpoint, a blank line, and a line of JSON for each record that was not archived.`,
		Example: `  keyward audit export -o log.txt
  keyward audit export | grep '^{' | jq -r .path`,
		Args: want(0, 0, "[-o FILE]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.withLog(ctx, func(l *vault.Log) error {
				progress := a.progress("lines written")
				err := a.toSyncedFile(file, func(w io.Writer) error { return l.Export(ctx, &meter{ctx: ctx, w: w, progress: progress}) })
				progress.end(err)
				return err
			})
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this `FILE`, which must not exist")
	return c
}

// toSyncedFile is toFile for what must outlive a crash: the name of the file is on the disk too.
func (a *app) toSyncedFile(name string, f func(io.Writer) error) error {
	err := a.toFile(name, f)
	if err == nil && name != "" {
		err = syncFolder(name)
	}
	return err
}

func syncFolder(file string) error {
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func newAuditArchiveCommand(a *app) *cobra.Command {
	var before ago
	var file string
	c := &cobra.Command{
		Use:   "archive --before TIME -o FILE",
		Short: "Move old records out of the log into a file",
		Long: `Archive moves the oldest records, all from before a time, into a new file, which is on the disk before the log drops them. The
file is an export: keyward audit verify checks it, and the log goes on from it. Keep all archives, together; nothing else has
these records. A token that was issued before that time and lives stops it.`,
		Example: `  keyward audit archive --before 365d -o archive-2026.txt
  keyward audit archive --before 2026-01-01 -o archive-2025.txt --reason 'new year'`,
		Args: want(0, 0, "--before TIME -o FILE"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if before.IsZero() || file == "" {
				return usagef("say which records with --before, and where they shall be with -o")
			}
			ctx := cmd.Context()
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error { return a.archive(ctx, op, before, file) })
		},
	}
	c.Flags().Var(&before, "before", "records of before this time, as 365d or 2026-01-01")
	c.Flags().StringVarP(&file, "output", "o", "", "the `FILE`, which must not exist")
	return c
}

// archiveFile is a meter that the vault can sync.
type archiveFile struct {
	meter
	file *os.File
}

func (f *archiveFile) Sync() error { return f.file.Sync() }

// archive removes the file after an error only where the records are in the log for sure.
func (a *app) archive(ctx context.Context, op *vault.Operator, before ago, name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	progress := a.progress("lines written")
	err = syncFolder(name)
	if err == nil {
		err = op.Archive(ctx, before.Time, &archiveFile{meter{ctx: ctx, w: file, progress: progress}, file}, a.reason)
	}
	closed := file.Close()
	progress.end(err)
	switch {
	case err == nil:
		a.printf("the records from before %s are in %s, and no longer in the log: keep that file", when(before.Time), name)
		return closed
	case errors.Is(err, vault.ErrNotRecorded):
		a.printf("%s is kept: if keyward audit list shows that its records are gone, it is all that has them; else remove it", name)
		return err
	}
	return errors.Join(err, os.Remove(name))
}
