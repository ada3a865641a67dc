// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

const (
	anObject = "print a JSON object"
	anArray  = "print a JSON array of objects"
	lines    = "print JSON lines, a record each"
)

// jsonForms are the commands that print data, and its form with --json. No other command has that flag.
var jsonForms = map[string]string{
	"init":            anObject,
	"set":             anObject,
	"get":             anObject,
	"list":            anArray,
	"versions":        anArray,
	"policy show":     anObject,
	"import":          anArray,
	"token issue":     anObject,
	"token list":      anArray,
	"agent create":    anObject,
	"agent list":      anArray,
	"operator create": anObject,
	"operator list":   anArray,
	"whose":           anArray,
	"freeze list":     anArray,
	"audit list":      lines + "; with --by an array of objects",
	"audit tail":      lines,
	"audit verify":    anObject + ", with --export",
	"doctor":          anArray,
}

// addJSON gives the commands below c the flag.
func (a *app) addJSON(c *cobra.Command) {
	if form := jsonForms[strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")]; form != "" {
		c.Flags().BoolVar(&a.json, "json", false, form)
	}
	for _, sub := range c.Commands() {
		a.addJSON(sub)
	}
}

// printJSON writes v as JSON, in which all that a terminal could obey is escaped: encoding/json leaves DEL, the controls above
// U+007F and the marks of direction as they are.
func (a *app) printJSON(v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := a.out.Write(escaped(text.Bytes()))
	return err
}

// escaped returns JSON with what is not printable in its texts, which is the only place for it, as \u escapes.
func escaped(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r == '\n' || unicode.IsPrint(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, half := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, half)
		}
	}
	return out
}
