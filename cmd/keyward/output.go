// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// printf writes a line for the person at the terminal.
func (a *app) printf(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}

// printValue writes what a program reads: the bytes alone, with a newline on a terminal, which is not given what it would obey.
func (a *app) printValue(text string) error {
	if a.outTerm {
		if tame := strings.ReplaceAll(text, "\t", " "); plain(tame) != tame || !utf8.ValidString(text) {
			return usagef("the value has characters that a terminal obeys or cannot show: send it to a file or a program")
		}
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
	}
	_, err := a.out.Write([]byte(text))
	return err
}

// printTable writes rows below a heading, each row with one cell a column; with --json what items holds. A list that is empty
// is said so on the other stream.
func (a *app) printTable(items any, heading string, rows [][]string) error {
	if a.json {
		return a.printJSON(items)
	}
	if len(rows) == 0 {
		a.printf("none")
		return nil
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(strings.Fields(heading), "\t")) // a tabwriter keeps an error until Flush
	for _, row := range rows {
		for i, cell := range row {
			if row[i] = plain(strings.ReplaceAll(cell, "\n", " ")); row[i] == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// plain returns text of others such that a terminal obeys none of it.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// when is a time in a table.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}
