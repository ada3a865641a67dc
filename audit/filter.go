// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"strings"
	"time"
)

// Filter selects records. A record must fit every field that is set; the zero Filter selects all.
type Filter struct {
	Agent   string // this agent, by full name, and those below it: "researcher" fits "researcher/summariser" too
	Run     string
	User    string
	Tenant  string
	Token   string // the id of a link: every token that has it, so all that was narrowed or issued below it
	Op      string
	Path    string // a path, or a pattern whose last segment is "*": one or more further segments; "*" alone is any path
	Outcome Outcome
	From    time.Time // this time or later
	To      time.Time // before this time
	Since   int64     // this Seq or later
}

// Match reports whether r fits f.
func (f Filter) Match(r Record) bool {
	return r.Seq >= f.Since &&
		(f.From.IsZero() || !r.Time.Before(f.From)) &&
		(f.To.IsZero() || r.Time.Before(f.To)) &&
		(f.Outcome == "" || f.Outcome == r.Outcome) &&
		equal(f.Op, r.Op) && equal(f.Run, r.Run) && equal(f.User, r.User) && equal(f.Tenant, r.Tenant) &&
		below(f.Agent, r.Agent, '/') && below(f.Token, r.Token, '.') && pathFits(f.Path, r.Path)
}

func equal(want, got string) bool { return want == "" || want == got }

// below reports whether got is want or begins with want and the separator.
func below(want, got string, separator byte) bool {
	rest, ok := strings.CutPrefix(got, want)
	return want == "" || ok && (rest == "" || rest[0] == separator)
}

func pathFits(want, got string) bool {
	if want == "*" {
		return got != ""
	}
	if folder, ok := strings.CutSuffix(want, "/*"); ok {
		rest, ok := strings.CutPrefix(got, folder+"/")
		return ok && rest != ""
	}
	return equal(want, got)
}
