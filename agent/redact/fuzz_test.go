// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

// naive masks the raw values and nothing else, in the plainest way: it marks every byte that an occurrence covers, and puts
// one Mask for each run of hits that touch.
func naive(text string, values []string) string {
	covered := make([]bool, len(text))

	for _, v := range values {
		for i := 0; i+len(v) <= len(text); i++ {
			if len(v) >= 4 && text[i:i+len(v)] == v {
				for j := i; j < i+len(v); j++ {
					covered[j] = true
				}
			}
		}
	}
	var b strings.Builder
	for i := range text {
		switch {
		case !covered[i]:
			b.WriteByte(text[i])
		case i == 0 || !covered[i-1]:
			b.WriteString(redact.Mask)
		}
	}
	return b.String()
}

// A small alphabet makes values that overlap themselves and one another.
func small(b []byte, alphabet string) string {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = alphabet[int(c)%len(alphabet)]
	}
	return string(out)
}

func FuzzRedactor(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x01"), []byte("\x01\x00\x01\x00\x01\x00\x00"), []byte("\x00\x01\x00\x01\x00\x01\x00\x01\x00\x00"), byte(3))
	f.Add([]byte("aaaa"), []byte("aaaaaaaaab"), []byte("aaaaaaaaaaaaaaaaaaab"), byte(1))
	f.Add([]byte("prefix-prefix-1"), []byte("prefix-prefix-2"), []byte("prefix-prefix-prefix-2"), byte(7))
	f.Fuzz(func(t *testing.T, one, two, text []byte, step byte) {
		if len(one) > 300 || len(two) > 300 || len(text) > 3000 {
			return
		}
		const alphabet = "zyxw" // neither hex nor a mask
		values := []string{small(one, alphabet), small(two, alphabet)}
		in := small(text, alphabet)
		r := new(redact.Redactor)
		for _, v := range values {
			if err := r.Add(vault.NewSecret(v)); err != nil {
				t.Fatal(err)
			}
		}
		whole := r.String(in)
		if want := naive(in, values); whole != want {
			// Base64 of a value may stand in the text by chance: four letters are not many.
			if !strings.Contains(whole, redact.Mask) || strings.Count(whole, "") > strings.Count(want, "") {
				t.Fatalf("%q in %q: %q, want %q", values, in, whole, want)
			}
		}
		var out bytes.Buffer
		w := r.Writer(&out)
		n := int(step)%16 + 1
		for rest := in; rest != ""; rest = rest[min(n, len(rest)):] {
			if _, err := io.WriteString(w, rest[:min(n, len(rest))]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil || out.String() != whole {
			t.Fatalf("%q in %q by %d: %q, whole %q, %v", values, in, n, out.String(), whole, err)
		}
		read, err := io.ReadAll(r.Reader(io.NopCloser(strings.NewReader(in))))
		if err != nil || string(read) != whole {
			t.Fatalf("read: %q, whole %q, %v", read, whole, err)
		}
	})
}
