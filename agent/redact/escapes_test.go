// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
)

// Passwords of people have characters that each program escapes in a way of its own.
func TestEscapes(t *testing.T) {
	const marks, quotes, lines = `p@ss(1)&word!/x y*~`, `a"b'c<d>e&f+g`, "line-1\nline-2\r\n\tend"
	for _, c := range []struct{ by, value, text string }{
		{"url.UserPassword", marks, strings.TrimPrefix(url.UserPassword("u", marks).String(), "u:")},
		{"url.URL", marks, strings.TrimPrefix((&url.URL{Path: "/" + marks}).String(), "/")},
		{"url.Values", marks, strings.TrimPrefix(url.Values{"k": {marks}}.Encode(), "k=")},
		{"encodeURIComponent", marks, "p%40ss(1)%26word!%2Fx%20y*~"},
		{"encodeURI", marks, "p@ss(1)&word!/x%20y*~"},
		{"URLSearchParams", marks, "p%40ss%281%29%26word%21%2Fx+y*%7E"},
		{"Python's quote", marks, "p%40ss%281%29%26word%21/x%20y%2A~"},
		{"Python's quote, safe=''", marks, "p%40ss%281%29%26word%21%2Fx%20y%2A~"},
		{"Python's quote_plus", marks, "p%40ss%281%29%26word%21%2Fx+y%2A~"},
		{"lower case", marks, "p%40ss%281%29%26word%21%2fx+y%2a~"},
		{"template.HTMLEscape", quotes, template.HTMLEscapeString(quotes)},
		{"html/template", quotes, executed(t, quotes)},
		{"Python's html.escape", quotes, `a&quot;b&#x27;c&lt;d&gt;e&amp;f+g`},
		{"Python's sax.escape", quotes, `a"b'c&lt;d&gt;e&amp;f+g`},
		{"Python's quoteattr", quotes, `a&quot;b'c&lt;d&gt;e&amp;f+g`},
		{"jq's @html", quotes, `a&quot;b&apos;c&lt;d&gt;e&amp;f+g`},
		{"PHP's htmlspecialchars", quotes, `a&quot;b&#039;c&lt;d&gt;e&amp;f+g`},
		{"encoding/xml", quotes, inXML(t, quotes)},
		{"encoding/xml", lines, inXML(t, lines)},
		{"Gson", quotes + "==", `a\"b\u0027c\u003cd\u003ee\u0026f+g\u003d\u003d`},
		{"%q", lines, strings.Trim(fmt.Sprintf("%q", lines), `"`)},
		{"%q", "nul\x00del\x7f\xffkey", `nul\x00del\x7f\xffkey`},
		{"%+q", "pässwörd-🔑", `p\u00e4ssw\u00f6rd-\U0001f511`},
	} {
		if got := of(t, c.value).String("<" + c.text + ">"); got != "<"+redact.Mask+">" {
			t.Errorf("%s: %q from %q", c.by, got, c.text)
		}
	}
}

func executed(t *testing.T, v string) string {
	var b bytes.Buffer
	if err := template.Must(template.New("").Parse("{{.}}")).Execute(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func inXML(t *testing.T, v string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(v)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
