// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// errEvidence is of an export or a proof that does not hold. It is not of the vault.
var errEvidence = errors.New("this does not hold")

var errNoLogKey = usagef("--key is missing: the public key of the log, which keyward key prints; keep it elsewhere than the file")

// checkLogKey refuses what is no public key.
func checkLogKey(key string) error {
	if _, err := note.NewVerifier(key); err != nil {
		return usagef("--key: that is no public key of a log: it is a line as keyward/…+…+…, which keyward key prints, in quotes")
	}
	return nil
}

// evidence makes a TamperError one of errEvidence.
func evidence(err error) error {
	if tampered := (*audit.TamperError)(nil); errors.As(err, &tampered) {
		return fmt.Errorf("%w: %w", errEvidence, err)
	}
	return err
}

func newAuditVerifyCommand(a *app) *cobra.Command {
	var export, key, after string
	var checkpoints []string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check that no record was changed, dropped or added",
		Long: `Verify checks the whole log of the vault, or with --export a file that keyward audit export or archive wrote, for which no
vault and no root key is needed. The public key (keyward key) must come from elsewhere than the file.

What an earlier checkpoint covers (keyward checkpoint) nobody can have rewritten since, the keeper of the vault included. So
give all that you kept elsewhere; a FILE may hold several, one behind the other. One that another key has signed is an alarm
before anything is verified, though the FILE may be the wrong one. A log of which records were archived is verified in parts: the
oldest archive first, then each part with --after and the archive before it. The exit code is 5 if anything does not hold.`,
		Example: `  keyward audit verify --checkpoint monday.txt --checkpoint tuesday.txt
  keyward audit verify --export log.txt --key 'keyward/0011…+c31d896e+Aepk…' --checkpoint monday.txt
  keyward audit verify --export log.txt --after archive-2026.txt --key 'keyward/0011…+c31d896e+Aepk…'`,
		Args: want(0, 0, "[--checkpoint FILE]… [--export FILE --key KEY]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if export == "" && (key != "" || after != "") || export != "" && key == "" {
				if export != "" {
					return errNoLogKey
				}
				return usagef("--key and --after are for --export FILE")
			}
			if err := checkLogKey(key); key != "" && err != nil {
				return err
			}
			files, err := readCheckpoints(checkpoints)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			if export != "" {
				earlier, err := signedBy(key, files)
				if err != nil {
					return err
				}
				return a.verifyExport(ctx, export, key, after, earlier)
			}
			return a.withLog(ctx, func(l *vault.Log) error {
				earlier, err := signedBy(l.Key(), files)
				if err != nil {
					return err
				}
				return a.verifyLog(ctx, l, earlier)
			})
		},
	}
	c.Flags().StringArrayVar(&checkpoints, "checkpoint", nil, "a `FILE` with earlier checkpoints; may be repeated")
	c.Flags().StringVar(&export, "export", "", "verify this `FILE` instead of the vault's log")
	c.Flags().StringVar(&key, "key", "", "the log's public `KEY`, with --export")
	c.Flags().StringVar(&after, "after", "", "the `FILE` of the archive before it, if the export begins at a later record")
	return c
}

func (a *app) verifyLog(ctx context.Context, l *vault.Log, earlier [][]byte) error {
	size, err := logSize(ctx, l)
	if err != nil {
		return err
	}
	a.printf("verifying about %d records", size)
	if err := l.Verify(ctx, earlier...); err != nil {
		return err
	}
	a.printf("the log is as it was written%s", fits(earlier))
	return nil
}

func (a *app) verifyExport(ctx context.Context, name, key, after string, earlier [][]byte) error {
	var from []byte
	if after != "" {
		f, err := os.Open(after)
		if err != nil {
			return err
		}
		from, err = audit.ReadCheckpoint(f)
		if err = errors.Join(evidence(err), f.Close()); err != nil {
			return fmt.Errorf("--after: %w", err)
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	progress := a.progress("KiB read")
	h, err := audit.VerifyFrom(from, &meter{ctx: ctx, r: f, progress: progress, unit: 1024}, key, earlier...)
	progress.end(err)
	if err != nil {
		return evidence(err)
	}
	a.printf("the export is as it was signed%s", fits(earlier))
	if a.json {
		return a.printJSON(map[string]any{"size": h.Size, "root": base64.StdEncoding.EncodeToString(h.Root[:])})
	}
	return nil
}

func fits(earlier [][]byte) string {
	if len(earlier) == 0 {
		return "\n  Only an earlier checkpoint from elsewhere shows that the keeper of the vault has not rewritten it: --checkpoint FILE"
	}
	return fmt.Sprintf("; it fits %d earlier checkpoints", len(earlier))
}

// readSmall reads a file that is a checkpoint, a proof or a cursor.
func readSmall(name string) ([]byte, error) {
	const most = 1 << 20
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if len(b) > most {
		return nil, usagef("%s has more than %d bytes, so it is something else", name, most)
	}
	return b, err
}
