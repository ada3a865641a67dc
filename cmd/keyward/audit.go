// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
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

// operations are what a record can be of.
var operations = strings.Fields(`create get use put delete destroy list versions policy issue revoke freeze thaw freezes whose tokens key keys
log rotate root backup restore archive purge clock denials`)

// filterFlags select records.
type filterFlags struct {
	audit.Filter
	outcome, host, call string
	since, until        ago

	flags *pflag.FlagSet
}

func (s *filterFlags) add(to *pflag.FlagSet) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.flags = f
	f.StringVar(&s.Agent, "agent", "", "of this agent, by full `NAME`, and of those below it")
	f.StringVar(&s.Run, "run", "", "of this run")
	f.StringVar(&s.User, "user", "", "for this user")
	f.StringVar(&s.Tenant, "tenant", "", "for this tenant")
	f.StringVar(&s.Token, "token", "", "with the token of this `ID`, whole or short, and those narrowed from it")
	f.StringVar(&s.Op, "op", "", "of this operation: "+strings.Join(operations, ", "))
	f.StringVar(&s.Path, "path", "", "of this path, or pattern as 'production/*'")
	f.StringVar(&s.outcome, "outcome", "", "granted, denied or failed")
	f.StringVar(&s.host, "host", "", "for this host of a request")
	f.StringVar(&s.call, "call", "", "of the request or tool call of this `ID`, as the header Keyward-Request-Id of an answer has it")
	f.Var(&s.since, "since", "of this time or later, as 7d, 2026-11-20 or 2026-11-20T09:30:00Z")
	f.Var(&s.until, "until", "of before this time")
	to.AddFlagSet(f)
}

// filter returns what the flags say, and refuses what no record can have: that none fits would be the wrong answer. The host, the
// call and a short id are not in it: see fits.
func (s *filterFlags) filter() (f audit.Filter, err error) {
	s.flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && flag.Value.String() == "" {
			err = usagef("--%s is empty: leave it out if all are meant", flag.Name)
		}
	})
	f = s.Filter
	f.Outcome, f.From, f.To = audit.Outcome(s.outcome), s.since.Time, s.until.Time
	switch {
	case err != nil:
		return f, err
	case f.Outcome != "" && f.Outcome != audit.Granted && f.Outcome != audit.Denied && f.Outcome != audit.Failed:
		return f, usagef("--outcome is granted, denied or failed")
	case f.Op != "" && !slices.Contains(operations, f.Op):
		return f, usagef("--op is one of %s", strings.Join(operations, ", "))
	case f.Token != "" && !wholeID.MatchString(f.Token) && !shortID.MatchString(f.Token):
		return f, usagef("--token is an id: 32 of 0-9 a-f, or the first 8 of them, for each part between its dots; keyward token list shows them")
	case f.Path != "" && scope.CheckPattern(f.Path) != nil:
		return f, usagef("--path: %v", scope.CheckPattern(f.Path))
	}
	if shortID.MatchString(f.Token) {
		f.Token = ""
	}
	return f, nil
}

func (s *filterFlags) fits(r audit.Record) bool {
	if token := short(r.Token); shortID.MatchString(s.Token) && token != s.Token && !strings.HasPrefix(token, s.Token+".") {
		return false
	}
	return (s.host == "" || s.host == r.Host) && (s.call == "" || s.call == r.Call)
}
