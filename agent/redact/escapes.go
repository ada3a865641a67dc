// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// percentStyle is a way to write a string in a URL: all is escaped but for these characters and letters and digits.
type percentStyle struct {
	keeps string
	plus  bool // a space is written as +
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

var percentStyles = []percentStyle{
	{"-_.~" + letters, true},                  // Go's QueryEscape
	{"-_.*" + letters, true},                  // forms of browsers, Java
	{"-_.~" + letters, false},                 // RFC 3986
	{"-_.~/" + letters, false},                // Python's quote
	{"-_.~$&+=:@" + letters, false},           // Go's PathEscape
	{"-_.~$&+=:@/,;" + letters, false},        // Go's paths
	{"-_.~$&+=,;" + letters, false},           // Go's passwords in URLs
	{"-_.~!'()*" + letters, false},            // encodeURIComponent
	{"-_.~!'()*$&+=:@/,;?#" + letters, false}, // encodeURI
	{"-_.~!()*$&+=:@/,;?" + letters, false},   // Go's fragments
	{},                                        // every byte
}

func (p percentStyle) escape(value string) string {
	var b strings.Builder
	for i := range len(value) {
		switch c := value[i]; {
		case p.plus && c == ' ':
			b.WriteByte('+')
		case strings.IndexByte(p.keeps, c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	return b.String()
}

// htmlStyles are ways to write quotation marks in HTML and XML, beside & < and >.
var htmlStyles = [][]string{
	{}, {`"`, "&quot;"},
	{`"`, "&#34;", "'", "&#39;"},               // Go, Jinja
	{`"`, "&#34;", "'", "&#39;", "+", "&#43;"}, // Go's templates
	{`"`, "&quot;", "'", "&#x27;"},             // Python
	{`"`, "&quot;", "'", "&#39;"}, {`"`, "&quot;", "'", "&#039;"}, {`"`, "&quot;", "'", "&apos;"},
	{`"`, "&#34;", "'", "&#39;", "\n", "&#xA;", "\r", "&#xD;", "\t", "&#x9;"}, // Go's XML
}

// inXML is what XML writes for a character: what it has none for becomes U+FFFD, as what is no UTF-8 does.
func inXML(r rune) rune {
	if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\ufffe' || r == '\uffff' {
		return utf8.RuneError
	}
	return r
}

var escape = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerEscapes(s string) string { return escape.ReplaceAllStringFunc(s, strings.ToLower) }

// jsonStyle is a way to write a string in JSON. All write \" \\ \n and so on as JSON says.
type jsonStyle struct {
	more  string // characters that are written as \u00XX although they need not
	slash bool   // / as \/
	ascii bool   // what is not ASCII as \uXXXX
	upper bool   // of these digits
	lossy bool   // what is no UTF-8 as \ufffd
}

var jsonStyles = []jsonStyle{
	{}, {slash: true}, {more: "\u2028\u2029", slash: true}, {ascii: true}, {slash: true, ascii: true}, {more: "\u2028\u2029"}, {more: "<>&\u2028\u2029"},
	{more: "\u2028\u2029", lossy: true}, {more: "<>&\u2028\u2029", lossy: true}, // encoding/json
	{more: "<>&='\u2028\u2029"}, // Gson
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
			if j.lossy {
				unit(utf8.RuneError)
			} else {
				b.WriteByte(value[i])
			}
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
