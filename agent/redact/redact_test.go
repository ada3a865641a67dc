// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

const (
	plain   = "tvly-9f3b7d21c84e5a60"
	awkward = "p@ss/w+rd \"q\"\\<&'\n\tü\u2028€🔑%"
)

func of(t testing.TB, values ...string) *redact.Redactor {
	t.Helper()
	r := new(redact.Redactor)
	for _, v := range values {
		if err := r.Add(vault.NewSecret(v)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// Each way to write a value is masked as a whole, whatever stands around it.
func TestForms(t *testing.T) {
	quote := func(html, ascii bool) func(string) string {
		return func(v string) string {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(html)
			e.Encode(v)
			text := strings.TrimSuffix(b.String(), "\n")
			return text[1 : len(text)-1]
		}
	}
	for name, encode := range map[string]func(string) string{
		"raw":           func(v string) string { return v },
		"hex":           func(v string) string { return hex.EncodeToString([]byte(v)) },
		"HEX":           func(v string) string { return strings.ToUpper(hex.EncodeToString([]byte(v))) },
		"query":         url.QueryEscape,
		"path":          url.PathEscape,
		"query, lower":  func(v string) string { return lower(url.QueryEscape(v)) },
		"every byte":    func(v string) string { return fmt.Sprintf("%%%s", strings.Join(pairs(fmt.Sprintf("%X", v)), "%")) },
		"every, lower":  func(v string) string { return fmt.Sprintf("%%%s", strings.Join(pairs(fmt.Sprintf("%x", v)), "%")) },
		"JSON":          quote(true, false),
		"JSON, plain":   quote(false, false),
		"JSON, slashes": func(v string) string { return strings.ReplaceAll(quote(false, false)(v), "/", `\/`) },
		"HTML":          html.EscapeString,
	} {
		for _, v := range []string{plain, awkward} {
			for _, around := range []string{"", "x", " ", "\x00", "Bearer "} {
				r := of(t, "another-value", v)
				if got, want := r.String(around+encode(v)+around), around+redact.Mask+around; got != want {
					t.Errorf("%s of %q in %q: %q", name, v, around, got)
				}
			}
		}
	}
}

// What stands before a value in base64 shifts it; of its own characters at most one is left at each end.
func TestBase64(t *testing.T) {
	for _, v := range []string{plain, awkward, "\xfb\xff\xfe\xfb\xff\xbf\xfb\xef\xbe" + plain} {
		r := of(t, v)
		for name, e := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.URLEncoding, "raw": base64.RawStdEncoding} {
			for before := range 7 {
				for after := range 4 {
					text := e.EncodeToString([]byte("user:pw"[:before] + v + "tail"[:after]))
					for what, text := range map[string]string{
						"": text, "in a URL": url.QueryEscape(text), "in JSON": strings.ReplaceAll(text, "/", `\/`), "in .NET's": strings.ReplaceAll(text, "+", `\u002B`),
					} {
						got := r.String(text)
						left := strings.Trim(strings.Replace(got, redact.Mask, "", 1), "=")
						left = strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(left, "%3D", ""), "%2B", "+"), "%2F", "/")
						if !strings.Contains(got, redact.Mask) || len(left) > (before*8+5)/6+(after*8+5)/6+2 {
							t.Errorf("%s %s, %d before, %d after: %q from %q", name, what, before, after, got, text)
						}
					}
				}
			}
		}
	}
}

func pairs(s string) (out []string) {
	for ; s != ""; s = s[2:] {
		out = append(out, s[:2])
	}
	return out
}

func lower(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			b.WriteString(strings.ToLower(s[i : i+3]))
			i += 2
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func TestString(t *testing.T) {
	const m = redact.Mask
	for _, c := range []struct {
		values     []string
		text, want string
	}{
		{nil, "nothing is known", "nothing is known"},
		{[]string{"abc"}, "abc is too short", "abc is too short"},
		{[]string{""}, "", ""},
		{[]string{"abcd"}, "abcd", m},
		{[]string{"abcd"}, "xabcdx", "x" + m + "x"},
		{[]string{"abcd"}, "abcdabcd abcd", m + " " + m},
		{[]string{"abcd"}, "abc", "abc"},
		{[]string{"abab"}, "ababab", m},
		{[]string{"aaaa"}, strings.Repeat("a", 1000), m},
		{[]string{"abcd", "cdef"}, "abcdef", m},
		{[]string{"abcd", "efgh"}, "abcdefgh", m},
		{[]string{"abcd", "abcdefgh"}, "abcdefgh abcdefg", m + " " + m + "efg"},
		{[]string{"abcd", "bcdefghi", "zzzz"}, "abcdefg abcdefghi", m + "efg " + m},
		{[]string{"key-1-aaaaaaaa", "key-1-aaaaaaab", "key-1-aaaaaa"}, "key-1-aaaaaaab key-1-aaaaaax", m + " " + m + "x"},
	} {
		if got := of(t, c.values...).String(c.text); got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.values, c.text, got, c.want)
		}
		if got := string(of(t, c.values...).Bytes([]byte(c.text))); got != c.want {
			t.Errorf("bytes: %q in %q: %q, want %q", c.values, c.text, got, c.want)
		}
	}
}

// A long key is found whole, in part, and in its encoded forms.
func TestLongValues(t *testing.T) {
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "%04x:line\n", i*7919)
	}
	long := b.String()
	r := of(t, long)
	for name, text := range map[string]string{
		"raw": long, "JSON": strings.ReplaceAll(long, "\n", `\n`), "hex": hex.EncodeToString([]byte(long)), "query": url.QueryEscape(long),
	} {
		if got := r.String("<" + text + ">"); got != "<"+redact.Mask+">" {
			t.Errorf("%s: %d bytes are left: %.200q", name, len(got), got)
		}
	}
	if got := r.String(base64.StdEncoding.EncodeToString([]byte(long))); len(got) > len(redact.Mask)+4 {
		t.Errorf("base64: %d bytes are left: %.200q", len(got), got)
	}
	if got := r.String(long[100:1600]); len(got) > len(redact.Mask)+2*256 {
		t.Errorf("a part: %d of 1500 bytes are left", len(got))
	}
}

// However a stream is cut, it gives what the whole text gives; and nothing waits that cannot become a value.
func TestEveryCut(t *testing.T) {
	r := of(t, "abcd", "cdefgh-ijkl", plain)
	for _, text := range []string{
		"abcdefgh-ijkl abcd cdefgh-ijk abcdabcd tvly-9f3b7d21c84e5a6 " + plain, "abcd", "abc", "", base64.StdEncoding.EncodeToString([]byte("x:" + plain)),
	} {
		want := r.String(text)
		for i := range len(text) + 1 {
			for j := i; j <= len(text); j++ {
				var out bytes.Buffer
				w := r.Writer(&out)
				for _, part := range []string{text[:i], text[i:j], text[j:]} {
					if n, err := io.WriteString(w, part); n != len(part) || err != nil {
						t.Fatal(n, err)
					}
				}
				if err := w.Close(); err != nil || out.String() != want {
					t.Fatalf("%q | %q | %q: %q, want %q, %v", text[:i], text[i:j], text[j:], out.String(), want, err)
				}
			}
		}
		var byBytes bytes.Buffer
		read, err := io.ReadAll(r.Reader(io.NopCloser(io.MultiReader(strings.NewReader(text[:len(text)/2]), strings.NewReader(text[len(text)/2:])))))
		if byBytes.Write(read); err != nil || byBytes.String() != want {
			t.Errorf("read: %q, want %q, %v", byBytes.String(), want, err)
		}
	}
	var out bytes.Buffer
	w := r.Writer(&out)
	for _, c := range []struct{ write, out string }{
		{"data: hello\n\n", "data: hello\n\n"}, {"x abc", "x "}, {"e", "abce"}, {"abcd", redact.Mask}, {"!", "!"}, {"tvly-", ""}, {"no", "tvly-no"},
	} {
		out.Reset()
		if io.WriteString(w, c.write); out.String() != c.out {
			t.Errorf("after %q: %q came out, want %q", c.write, out.String(), c.out)
		}
	}
}

func TestWriterErrors(t *testing.T) {
	r := of(t, plain)
	w := r.Writer(failing{})
	if n, err := io.WriteString(w, "some text"); n != 0 || !errors.Is(err, errFailing) {
		t.Errorf("%d, %v", n, err)
	}
	rd := r.Reader(io.NopCloser(io.MultiReader(strings.NewReader("text tvly-"), failing{})))
	if got, err := io.ReadAll(rd); string(got) != "text tvly-" || !errors.Is(err, errFailing) {
		t.Errorf("%q, %v", got, err)
	}
}

var errFailing = errors.New("failing")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFailing }
func (failing) Read([]byte) (int, error)  { return 0, errFailing }

// Values come while streams run.
func TestAddWhileStreaming(t *testing.T) {
	r := new(redact.Redactor)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				value := fmt.Sprintf("value-%d-%d-secret", i, j)
				if err := r.Add(vault.NewSecret(value)); err != nil {
					t.Error(err)
				}
				var out bytes.Buffer
				w := r.Writer(&out)
				io.WriteString(w, "a "+value[:7])
				io.WriteString(w, value[7:]+" b")
				w.Close()
				if got := out.String(); got != "a "+redact.Mask+" b" {
					t.Errorf("%q", got)
				}
			}
		})
	}
	wg.Wait()
	if got := r.String("value-3-3-secret"); got != redact.Mask {
		t.Errorf("%q", got)
	}
}

// A value that cannot be remembered is refused, and those before it stay masked.
func TestFull(t *testing.T) {
	defer redact.SetMaxPatterns(redact.SetMaxPatterns(1 << 20))
	r := of(t, plain)
	random := rand.New(rand.NewPCG(1, 2))
	big := make([]byte, 4<<10)
	var err error
	n := 0
	for ; err == nil && n < 20; n++ {
		for i := range big {
			big[i] = byte(random.Uint32())
		}
		err = r.Add(vault.NewSecret(string(big)))
	}
	if !errors.Is(err, redact.ErrFull) || n < 2 {
		t.Errorf("after %d values of 4 KiB: %v", n, err)
	}
	if got := r.String(plain); got != redact.Mask {
		t.Errorf("%q", got)
	}
	for range 10000 {
		if err := r.Add(vault.NewSecret(plain)); err != nil {
			t.Fatalf("a value that is known: %v", err)
		}
	}
}
