// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	minRaw     = 4
	minEncoded = 6
	longValue  = 1024
	pieceLen   = 256
	pieceStep  = pieceLen - 16
)

// forms returns the patterns of a value, in no order; some may be equal.
func forms(value string) (all []string) {
	if len(value) <= longValue {
		return formsOf(value)
	}
	for at := 0; ; at += pieceStep {
		if at+pieceLen >= len(value) {
			return append(all, formsOf(value[len(value)-pieceLen:])...)
		}
		all = append(all, formsOf(value[at:at+pieceLen])...)
	}
}

func formsOf(value string) []string {
	all := []string{value}
	add := func(encoded ...string) {
		for _, e := range encoded {
			if len(e) >= minEncoded {
				all = append(all, e)
			}
		}
	}
	digits := hex.EncodeToString([]byte(value))
	add(digits, strings.ToUpper(digits), html.EscapeString(value))
	for _, escaped := range []string{url.QueryEscape(value), url.PathEscape(value), percent(value)} {
		add(escaped, lowerEscapes(escaped))
	}
	for _, style := range jsonStyles {
		add(style.escape(value))
	}
	for pad := range 3 {
		add(inBase64(base64.RawURLEncoding, value, pad))
		std := inBase64(base64.RawStdEncoding, value, pad)
		escaped := strings.NewReplacer("+", "%2B", "/", "%2F").Replace(std)
		add(std, escaped, lowerEscapes(escaped), strings.ReplaceAll(std, "/", `\/`),
			strings.ReplaceAll(std, "+", `\u002B`), strings.ReplaceAll(std, "+", `\u002b`))
	}
	return all
}

// inBase64 returns the characters that value determines when pad bytes stand before it in a group of three, whatever these are and
// whatever follows.
func inBase64(e *base64.Encoding, value string, pad int) string {
	text := e.EncodeToString([]byte("\x00\x00"[:pad] + value))
	text = text[(8*pad+5)/6:]
	if bits := 8 * (pad + len(value)) % 6; bits != 0 {
		text = text[:len(text)-1]
	}
	return text
}

func percent(value string) string {
	var b strings.Builder
	for i := range len(value) {
		b.WriteByte('%')
		b.WriteString(strings.ToUpper(hex.EncodeToString([]byte(value[i : i+1]))))
	}
	return b.String()
}

var escape = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerEscapes(s string) string { return escape.ReplaceAllStringFunc(s, strings.ToLower) }

// jsonStyle is a way to write a string in JSON. All write \" \\ \n and so on as JSON says.
type jsonStyle struct {
	more  string // characters that are written as \u00XX although they need not
	slash bool   // / as \/
	ascii bool   // what is not ASCII as \uXXXX
	upper bool   // of these digits
}

var jsonStyles = []jsonStyle{
	{}, {slash: true}, {more: "\u2028\u2029"}, {more: "\u2028\u2029", slash: true}, {more: "<>&\u2028\u2029"}, {ascii: true}, {slash: true, ascii: true},
	{more: `<>&'"+` + "`", ascii: true, upper: true}, {more: `<>&'"+` + "`", ascii: true},
}

func (j jsonStyle) escape(value string) string {
	var b strings.Builder
	unit := func(u uint16) {
		if j.upper {
			fmt.Fprintf(&b, `\u%04X`, u)
		} else {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	for i, r := range value {
		short := strings.IndexRune("\"\\\b\f\n\r\t", r)
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(value[i:], "\ufffd"):
			b.WriteByte(value[i]) // a byte that is no UTF-8, or that a piece has cut
		case strings.ContainsRune(j.more, r), r < ' ' && short < 0, j.ascii && r > '~':
			for _, u := range utf16.Encode([]rune{r}) {
				unit(u)
			}
		case short >= 0:
			b.WriteString(`\` + `"\bfnrt`[short:short+1])
		case j.slash && r == '/':
			b.WriteString(`\/`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
