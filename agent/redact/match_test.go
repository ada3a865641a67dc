// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"strings"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// exact masks with the very patterns of the values, each looked for at each place.
func exact(text string, patterns []string) string {
	covered := make([]bool, len(text))
	for _, p := range patterns {
		for i := range len(text) {
			if strings.HasPrefix(text[i:], p) {
				for j := range len(p) {
					covered[i+j] = true
				}
			}
		}
	}
	var b strings.Builder
	for i := range len(text) {
		if !covered[i] {
			b.WriteByte(text[i])
		} else if i == 0 || !covered[i-1] {
			b.WriteString(Mask)
		}
	}
	return b.String()
}

// FuzzExact holds the matcher to every form of the values, with no tolerance: whole, and cut into parts of any size while
// the values are all known.
func FuzzExact(f *testing.F) {
	f.Add("abcd\nbcdefghi\nabcdefgh", "xabcdefghix abcdefgabcd YWJjZGVmZ2g= 6162636465666768", []byte{3, 1})
	f.Add("aaaa\naaaaaaaaab\naaaaaaa", "aaaaaaaabaaaaaaaaabaaa%61%61%61%61", []byte{1})
	f.Add("key-1-aaaaaaaa\nkey-1-aaaaaaab\nkey-1", `key-1-aaaaaakey-1-aaaaaaaba\/+\u002b`, []byte{7, 0, 2})
	f.Add("p/+\"\\<&'\xff\xfe", "p/+\\\"\\\\<p%2F%2B%22%5C%3C%26%27%FF%FE", []byte{5})
	f.Fuzz(func(t *testing.T, lines, text string, cuts []byte) {
		values := strings.Split(lines, "\n")
		if len(lines) > 2000 || len(values) > 20 || len(text) > 2000 {
			return
		}
		text += strings.Join(values, text[:min(3, len(text))])
		r := new(Redactor)
		var patterns []string
		for _, v := range values {
			if err := r.Add(vault.NewSecret(v)); err != nil {
				t.Fatal(err)
			}
			if len(v) >= minRaw {
				fs := forms(v)
				patterns = append(patterns, fs...)
				text += fs[len(text)%len(fs)]
			}
		}
		want := exact(text, patterns)
		if got := r.String(text); got != want {
			t.Fatalf("%q in %q: %q, want %q", values, text, got, want)
		}
		var b strings.Builder
		w := r.Writer(&b)
		for i, rest := 0, text; rest != ""; i++ {
			n := len(rest)
			if len(cuts) > 0 {
				n = min(n, int(cuts[i%len(cuts)])+1)
			}
			w.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if err := w.Close(); err != nil || b.String() != want {
			t.Fatalf("%q in %q, cut %v: %q, want %q, %v", values, text, cuts, b.String(), want, err)
		}
	})
}
