// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

func newAuditTailCommand(a *app) *cobra.Command {
	var flags filterFlags
	var cursor string
	c := &cobra.Command{
		Use:   "tail",
		Short: "Show records as they come, of every process",
		Long: `Tail prints the records that come from now on, or from --since on, until it is interrupted. With --cursor it goes on where it
was: the file keeps the number of the next record, and is written once the line of the one before it is out. So after a
restart no record is missing, and the last one may come again. --since is for the first time: a file that is there wins.`,
		Example: `  keyward audit tail --outcome denied
  keyward audit tail --json --cursor /var/lib/ship/keyward.cursor | logger -t keyward`,
		Args: want(0, 0, "[--since 1h] [--cursor FILE]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := flags.filter()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.withLog(ctx, func(l *vault.Log) error { return a.tail(ctx, l, f, flags, cursor) })
		},
	}
	flags.add(c.Flags())
	c.Flags().StringVar(&cursor, "cursor", "", "keep in this `FILE` where to go on")
	return c
}

func (a *app) tail(ctx context.Context, l *vault.Log, f audit.Filter, flags filterFlags, cursor string) error {
	next, err := readCursor(cursor)
	switch {
	case err != nil:
		return err
	case next >= 0:
		if !f.From.IsZero() {
			a.printf("%s wins over --since: it goes on at record %d", cursor, next)
		}
		f.Since, f.From = next, time.Time{} // the flag says where to begin, and that is past
		var size int64
		if size, err = logSize(ctx, l); err == nil && next > size {
			err = fmt.Errorf("--cursor: %s says record %d, but the log ends at %d: another vault, or put back?\n"+
				"  compare it with a checkpoint by keyward audit verify; to begin anew remove the file", cursor, next, size)
		}
	case f.From.IsZero():
		if f.Since, err = logSize(ctx, l); err == nil {
			err = writeCursor(cursor, f.Since)
		}
	}
	if err != nil {
		return err
	}
	table := recordTable{a: a, live: true, widths: [7]int{6, 20, 15, 8, 20}}
	for r, err := range l.Follow(ctx, f) {
		switch {
		case ctx.Err() != nil:
			return nil // it was interrupted, as is usual
		case err != nil:
			return err
		case !flags.fits(r):
			continue
		}
		if err := table.add(r); err != nil {
			return err
		}
		if err := writeCursor(cursor, r.Seq+1); err != nil {
			return err
		}
	}
	return nil
}

// logSize returns the number of records there are, archived ones included.
func logSize(ctx context.Context, l *vault.Log) (int64, error) {
	checkpoint, err := l.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	h, err := audit.ParseCheckpoint(checkpoint, l.Key())
	return h.Size, err
}

// readCursor returns the number in the file, and -1 if there is no file.
func readCursor(name string) (int64, error) {
	if name == "" {
		return -1, nil
	}
	b, err := readSmall(name)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(string(b), "\n"), 10, 64)
	if err != nil || n < 0 {
		return 0, usagef("--cursor: %s is no cursor: it holds the number of the next record and nothing else", name)
	}
	return n, nil
}

// writeCursor replaces the file as a whole. It is not synced: after a crash of the machine an older one is good too. A name that
// somebody has laid in the way, as a link to another file of ours, is removed and not followed.
func writeCursor(name string, next int64) error {
	if name == "" {
		return nil
	}
	beside := name + ".new"
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(strconv.AppendInt(nil, next, 10))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(beside, name)
}
