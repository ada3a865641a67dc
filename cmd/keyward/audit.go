// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

func newAuditCommand(a *app) *cobra.Command {
	return family(&cobra.Command{
		Use:     "audit",
		Short:   "Read the log, prove it, and keep it",
		Example: "  keyward audit list --by agent,path --since 7d",
	}, newAuditListCommand(a), newAuditTailCommand(a), newAuditVerifyCommand(a), newAuditExportCommand(a), newAuditProveCommand(a),
		newAuditVerifyProofCommand(a), newAuditArchiveCommand(a))
}

// withLog opens the vault and calls f with its log. Whoever has the root key reads it unrecorded; the holder of an operator's
// credential asks for it first, and that is recorded.
func (a *app) withLog(ctx context.Context, f func(*vault.Log) error) error {
	return a.withOperator(ctx, func(v *vault.Vault, op *vault.Operator) error {
		l, err := a.logOf(ctx, v, op)
		if err != nil {
			return err
		}
		return f(l)
	})
}

func (a *app) logOf(ctx context.Context, v *vault.Vault, op *vault.Operator) (*vault.Log, error) {
	if a.token.Reveal() == "" {
		return v.Log(), nil
	}
	return op.Log(ctx, a.reason)
}

// ago is a flag with a time in the past: one of RFC 3339, a date (its beginning in UTC), or how long ago.
type ago struct{ moment }

func (t *ago) Set(text string) error {
	if d, err := parseSpan(text); err == nil {
		t.Time = time.Now().Add(-d)
		return nil
	}
	return t.moment.Set(text)
}

// filterFlags select records.
type filterFlags struct {
	audit.Filter
	outcome, host string
	since, until  ago
}

func (s *filterFlags) add(f *pflag.FlagSet) {
	f.StringVar(&s.Agent, "agent", "", "of this agent, by full `NAME`, and of those below it")
	f.StringVar(&s.Run, "run", "", "of this run")
	f.StringVar(&s.User, "user", "", "for this user")
	f.StringVar(&s.Tenant, "tenant", "", "for this tenant")
	f.StringVar(&s.Token, "token", "", "with the token of this `ID`, and those narrowed from it")
	f.StringVar(&s.Op, "op", "", "of this operation, as get, use, issue or denials")
	f.StringVar(&s.Path, "path", "", "of this path, or pattern as 'production/*'")
	f.StringVar(&s.outcome, "outcome", "", "granted, denied or failed")
	f.StringVar(&s.host, "host", "", "for this host of a request")
	f.Var(&s.since, "since", "of this time or later, as 7d, 2026-11-20 or 2026-11-20T09:30:00Z")
	f.Var(&s.until, "until", "of before this time")
}

// filter returns what the flags say. The host and a short id are not in it: see fits.
func (s *filterFlags) filter() (audit.Filter, error) {
	f := s.Filter
	f.Outcome, f.From, f.To = audit.Outcome(s.outcome), s.since.Time, s.until.Time
	if shortID.MatchString(f.Token) {
		f.Token = ""
	}
	switch f.Outcome {
	case "", audit.Granted, audit.Denied, audit.Failed:
		return f, nil
	}
	return f, usagef("--outcome is granted, denied or failed")
}

func (s *filterFlags) fits(r audit.Record) bool {
	if token := short(r.Token); shortID.MatchString(s.Token) && token != s.Token && !strings.HasPrefix(token, s.Token+".") {
		return false
	}
	return s.host == "" || s.host == r.Host
}
