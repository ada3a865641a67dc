// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keyward-go/keyward/audit"
)

const (
	widest = 40  // characters of a column; what is longer stands out of it
	sheet  = 500 // records whose columns are as wide
)

var recordHeading = []string{"SEQ", "TIME", "OUTCOME", "OP", "WHO", "WHAT", "MORE"}

// recordTable prints records in columns, each wide enough for what is in it: with --json each as it stands in the log.
type recordTable struct {
	a      *app
	rows   [][]string // not printed yet
	widths [7]int     // they only grow
	live   bool       // print each at once, without a heading
}

func (t *recordTable) add(r audit.Record) error {
	if t.a.json {
		canonical, err := r.MarshalJSON()
		if err == nil {
			_, err = fmt.Fprintf(t.a.out, "%s\n", canonical)
		}
		return err
	}
	if t.rows == nil && !t.live && t.widths[0] == 0 {
		t.rows = append(t.rows, recordHeading)
	}
	t.rows = append(t.rows, recordCells(r))
	if t.live || len(t.rows) >= sheet {
		return t.flush()
	}
	return nil
}

// flush prints what was added.
func (t *recordTable) flush() error {
	for _, row := range t.rows {
		for i, cell := range row {
			t.widths[i] = max(t.widths[i], min(utf8.RuneCountInString(cell), widest))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			blanks := strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(cell)))
			if i == 0 { // a number
				cell, blanks = blanks+cell, ""
			}
			line.WriteString(cell + blanks + "  ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	t.rows = t.rows[:0]
	_, err := t.a.out.Write([]byte(b.String()))
	return err
}

// recordCells is a record for people. What is in the columns cannot have blanks, but for the last; free text is quoted.
func recordCells(r audit.Record) []string {
	outcome := string(r.Outcome)
	if r.Cause != "" {
		outcome += ":" + r.Cause
	}
	who := cmp.Or(actor(r), "-")
	what := strings.TrimSpace(r.Path + " " + short(r.Target))
	if what == "" {
		what = "-"
	}
	var more []string
	for _, part := range []struct{ before, text string }{
		{"to ", r.Host}, {"run ", r.Run}, {"user ", r.User}, {"tenant ", r.Tenant}, {"from ", r.Addr},
	} {
		if part.text != "" {
			more = append(more, part.before+part.text)
		}
	}
	if r.Count > 0 {
		more = append(more, strconv.Itoa(r.Count)+" times")
	}
	if r.Reason != "" {
		more = append(more, strconv.Quote(r.Reason))
	}
	cells := []string{
		strconv.FormatInt(r.Seq, 10), r.Time.UTC().Format("2006-01-02 15:04:05Z"), outcome, r.Op, who, what, strings.Join(more, "  "),
	}
	for i, cell := range cells {
		cells[i] = plain(strings.ReplaceAll(cell, "\n", " "))
	}
	return cells
}

// actor is the agent, or "operator:" and the operator, or nobody, as of a create.
func actor(r audit.Record) string {
	if r.Agent == "" && r.Operator != "" {
		return "operator:" + r.Operator
	}
	return r.Agent
}

var (
	wholeID = regexp.MustCompile(`^(key:)?[0-9a-f]{32}(\.[0-9a-f]{32})*$`)
	idPart  = regexp.MustCompile(`[0-9a-f]{32}`)
	shortID = regexp.MustCompile(`^(key:)?[0-9a-f]{8}(\.[0-9a-f]{8})*$`)
)

// short is an id in a table: the first eight characters of each part, which the commands take as well, and no other number.
func short(id string) string {
	if !wholeID.MatchString(id) {
		return id
	}
	return idPart.ReplaceAllStringFunc(id, func(part string) string { return part[:8] })
}

// whole returns the id that is meant by a whole or a short one. It is the caller's fault if that is several.
func whole(id string, all []string) (string, error) {
	if !shortID.MatchString(id) {
		return id, nil
	}
	found := ""
	for _, other := range all {
		if short(other) != id {
			continue
		}
		if found != "" && found != other {
			return "", usagef("more than one begins with %s: give the whole id, which list --json shows", id)
		}
		found = other
	}
	if found == "" {
		return id, nil
	}
	return found, nil
}
