// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
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
		end := min(at+pieceLen, len(value))
		all = append(all, formsOf(value[character(value, end-pieceLen):character(value, end)])...)
		if end == len(value) {
			return all
		}
	}
}

// character returns where the character begins that s has at i: half of one would be escaped as nobody escapes the whole.
func character(s string, i int) int {
	for at := i; at > i-utf8.UTFMax && at >= 0; at-- {
		if at == len(s) || utf8.RuneStart(s[at]) {
			return at
		}
	}
	return i
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
	add(digits, strings.ToUpper(digits), inside(strconv.Quote(value)), inside(strconv.QuoteToASCII(value)))
	for _, style := range percentStyles {
		escaped := style.escape(value)
		add(escaped, lowerEscapes(escaped))
	}
	for _, style := range htmlStyles {
		escaped := strings.NewReplacer(append(style, "&", "&amp;", "<", "&lt;", ">", "&gt;")...).Replace(value)
		add(escaped, strings.ReplaceAll(escaped, "\x00", "\ufffd"), strings.Map(inXML, escaped))
	}
	for _, style := range jsonStyles {
		add(style.escape(value))
	}
	for pad := range 3 {
		add(inBase64(base64.RawURLEncoding, value, pad))
		std := inBase64(base64.RawStdEncoding, value, pad)
		escaped := strings.NewReplacer("+", "%2B", "/", "%2F").Replace(std)
		add(std, escaped, lowerEscapes(escaped), strings.ReplaceAll(std, "/", `\/`),
			strings.ReplaceAll(std, "+", `\u002B`), strings.ReplaceAll(std, "+", `\u002b`), strings.ReplaceAll(std, "+", "&#43;"))
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

func inside(quoted string) string { return quoted[1 : len(quoted)-1] }
