// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/keyward-go/keyward/audit"
)

// printRecord prints a record in a line: the canonical one with --json, else what people look for.
func (a *app) printRecord(r audit.Record) error {
	line := recordText(r)
	if a.json {
		canonical, err := r.MarshalJSON()
		if err != nil {
			return err
		}
		line = string(canonical)
	}
	_, err := fmt.Fprintln(a.out, line)
	return err
}

// recordText is a record for people. What is in the columns cannot have blanks; free text is quoted.
func recordText(r audit.Record) string {
	outcome := string(r.Outcome)
	if r.Cause != "" {
		outcome += ":" + r.Cause
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%6d  %s  %-15s %-8s %-20s", r.Seq, r.Time.UTC().Format("2006-01-02 15:04:05Z"), outcome, r.Op, who(r))
	for _, part := range []struct{ before, text string }{
		{"", r.Path}, {"", r.Target}, {"to ", r.Host}, {"run ", r.Run}, {"user ", r.User}, {"tenant ", r.Tenant}, {"from ", r.Addr},
	} {
		if part.text != "" {
			b.WriteString("  " + part.before + part.text)
		}
	}
	if r.Count > 0 {
		fmt.Fprintf(&b, "  %d times", r.Count)
	}
	if r.Reason != "" {
		fmt.Fprintf(&b, "  %q", r.Reason)
	}
	return plain(strings.ReplaceAll(strings.TrimRight(b.String(), " "), "\n", " "))
}

// who is the agent, or the operator.
func who(r audit.Record) string {
	switch {
	case r.Agent != "":
		return r.Agent
	case r.Operator != "":
		return "operator:" + r.Operator
	}
	return "-"
}
