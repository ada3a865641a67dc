// SPDX-License-Identifier: Apache-2.0

// Package logtable prints an audit log for people.
package logtable

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// Write prints the records that f matches, one a line, below a heading.
func Write(ctx context.Context, w io.Writer, log *vault.Log, f audit.Filter) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := fmt.Fprintln(t, "seq\ttime\toutcome\twho\twhat\twhere\twhy"); err != nil {
		return err
	}
	for r, err := range log.Records(ctx, f) {
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n",
			r.Seq, r.Time.Format("15:04:05"), outcome(r), who(r), r.Op, where(r), plain(r.Reason))
		if err != nil {
			return err
		}
	}
	return t.Flush()
}

func outcome(r audit.Record) string {
	if r.Cause == "" {
		return string(r.Outcome)
	}
	return string(r.Outcome) + ": " + r.Cause
}

func who(r audit.Record) string {
	switch {
	case r.Operator != "":
		return r.Operator
	case r.Agent != "":
		return r.Agent
	}
	return "-"
}

// where is the path, or the first digits of the token that was issued or revoked.
func where(r audit.Record) string {
	switch {
	case r.Path != "":
		return r.Path
	case len(r.Target) > 8:
		return "token " + r.Target[:8]
	}
	return "-"
}

// plain is free text of a caller, safe for a terminal: control characters are escaped.
func plain(s string) string {
	if s == "" {
		return "-"
	}
	q := strconv.QuoteToGraphic(s)
	return q[1 : len(q)-1]
}
