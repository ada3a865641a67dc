// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"html/template"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
)

// What Go writes of any value is masked whole, whatever characters it is of: that is what doc.go says.
func TestWhatGoWrites(t *testing.T) {
	asJSON := func(escape bool) func(string) string {
		return func(v string) string {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(escape)
			if e.Encode(v) != nil {
				t.Fatal(v)
			}
			return strings.TrimSuffix(b.String()[1:], "\"\n")
		}
	}
	writers := map[string]func(string) string{
		"raw":           func(v string) string { return v },
		"QueryEscape":   url.QueryEscape,
		"PathEscape":    url.PathEscape,
		"url path":      func(v string) string { return strings.TrimPrefix((&url.URL{Path: "/" + v}).String(), "/") },
		"url user":      func(v string) string { return url.User(v).String() },
		"url password":  func(v string) string { return strings.TrimPrefix(url.UserPassword("u", v).String(), "u:") },
		"url fragment":  func(v string) string { return strings.TrimPrefix((&url.URL{Fragment: v}).String(), "#") },
		"Values":        func(v string) string { return strings.TrimPrefix(url.Values{"k": {v}}.Encode(), "k=") },
		"hex":           func(v string) string { return hex.EncodeToString([]byte(v)) },
		"%X":            func(v string) string { return fmt.Sprintf("%X", v) },
		"%q":            func(v string) string { q := fmt.Sprintf("%q", v); return q[1 : len(q)-1] },
		"%+q":           func(v string) string { q := fmt.Sprintf("%+q", v); return q[1 : len(q)-1] },
		"json":          asJSON(true),
		"json, no HTML": asJSON(false),
		"html":          html.EscapeString,
		"template":      template.HTMLEscapeString,
		"html/template": func(v string) string { return executed(t, v) },
		"xml":           func(v string) string { var b bytes.Buffer; xml.EscapeText(&b, []byte(v)); return b.String() },
		"base64":        func(v string) string { return base64.RawStdEncoding.EncodeToString([]byte(v)) },
	}
	alphabets := map[string][]rune{
		"keys": []rune("abcXYZ0189-_.+/="), "passwords": []rune("abZ09 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
		"languages": []rune("aé€🔑ßя中\u00a0\u2028\ufeff"), "control": []rune("ab\x00\x01\t\n\r\x1b\x7f\u0085"), "bytes": nil,
	}
	random := rand.New(rand.NewPCG(1, 2))
	for name, alphabet := range alphabets {
		for range 60 {
			n := 12 + random.IntN(30)
			if random.IntN(8) == 0 {
				n += 1000
			}
			var b strings.Builder
			for range n {
				if alphabet == nil && random.IntN(4) == 0 {
					b.WriteByte(byte(random.Uint32()))
				} else if alphabet == nil {
					b.WriteByte('a' + byte(random.IntN(26)))
				} else {
					b.WriteRune(alphabet[random.IntN(len(alphabet))])
				}
			}
			value := b.String()
			r := of(t, value)
			for by, write := range writers {
				text := write(value)
				got := r.String("<" + text + ">")
				if by == "base64" && len(got) == len(redact.Mask)+3 { // bits of a last character are not the value's alone
					continue
				}
				if got != "<"+redact.Mask+">" {
					t.Errorf("%s by %s: %.200q from %.100q", name, by, got, text)
				}
			}
		}
	}
}
