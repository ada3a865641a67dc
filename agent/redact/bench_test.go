// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

// keys are values as services give them out.
func keys(n int) (all []string) {
	random := rand.New(rand.NewPCG(1, 2))
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for i := range n {
		b := make([]byte, 24+random.IntN(24))
		for j := range b {
			b[j] = alphabet[random.IntN(len(alphabet))]
		}
		all = append(all, []string{"sk-proj-", "ghp_", "tvly-", "AKIA", "", "p@ss/w+rd:"}[i%6]+string(b))
	}
	return all
}

// prose is clean text of the kind that upstreams send.
func prose(n int) string {
	var b strings.Builder
	random := rand.New(rand.NewPCG(3, 4))
	words := strings.Fields(`{"results": [{"title": "The Go Programming Language", "url": "https://go.dev/doc/effective_go", "content": "Go is an open source language that ` +
		`makes it simple to build secure, scalable systems.", "score": 0.9713}, sk-proj-none ghp_ tvly-notakey AKIA example bearer token`)
	for b.Len() < n {
		b.WriteString(words[random.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.String()[:n]
}

func noise(n int) []byte {
	random := rand.NewChaCha8([32]byte{5})
	b := make([]byte, n)
	random.Read(b)
	return b
}

func picture(t testing.TB, n int) []byte {
	side := 1
	for side*side*4 < n {
		side++
	}
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	copy(img.Pix, noise(len(img.Pix)))
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// No value is seen where there is none. KEYWARD_SLOW=1 makes it 100 MB of each.
func TestNoFalseHits(t *testing.T) {
	size := 2 << 20
	if os.Getenv("KEYWARD_SLOW") == "1" {
		size = 100 << 20
	}
	r := of(t, keys(100)...)
	for name, data := range map[string]string{
		"random bytes": string(noise(size)),
		"base64":       base64.StdEncoding.EncodeToString(noise(size * 3 / 4)),
		"base64url":    base64.RawURLEncoding.EncodeToString(noise(size * 3 / 4)),
		"hex":          fmt.Sprintf("%x", noise(size/2)),
		"PNG":          string(picture(t, size)),
		"prose":        prose(size),
	} {
		if masked := r.String(data); masked != data {
			t.Errorf("%s: %d hits", name, strings.Count(masked, redact.Mask))
		}
	}
}

// The baseline looks for one string.
func BenchmarkClean(b *testing.B) {
	text := prose(1 << 20)
	b.Run("strings.Contains", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		one := keys(1)[0]
		for b.Loop() {
			if strings.Contains(text, one) {
				b.Fatal("found")
			}
		}
	})
	for _, n := range []int{1, 100, 1000} {
		r := of(b, keys(n)...)
		b.Run(fmt.Sprintf("%d values", n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if r.String(text) != text {
					b.Fatal("found")
				}
			}
		})
		b.Run(fmt.Sprintf("%d values, stream", n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := io.Copy(io.Discard, onlyReader{r.Reader(io.NopCloser(strings.NewReader(text)))}); err != nil || int(n) != len(text) {
					b.Fatal(n, err)
				}
			}
		})
	}
}

type onlyReader struct{ io.Reader }

// Text that is full of what many values begin with.
func BenchmarkHostile(b *testing.B) {
	const head = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
	var tokens []string
	for _, k := range keys(1000) {
		tokens = append(tokens, head+k)
	}
	for name, c := range map[string]struct {
		values []string
		text   string
	}{
		"heads of 1000 tokens": {tokens, strings.Repeat(head, 1<<20/len(head))},
		"one letter":           {[]string{strings.Repeat("a", 64)}, strings.Repeat(strings.Repeat("a", 63)+"b", 1<<14)},
	} {
		r := of(b, c.values...)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				r.String(c.text)
			}
		})
	}
}

// What a value costs when it is touched: once, and each time after.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1, 100, 500} {
		values := keys(n)
		b.Run(fmt.Sprintf("%d new", n), func(b *testing.B) {
			for b.Loop() {
				of(b, values...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/value")
		})
	}
	r, known := of(b, keys(100)...), vault.NewSecret(keys(1)[0])
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := r.Add(known); err != nil {
				b.Fatal(err)
			}
		}
	})
	w := r.Writer(io.Discard)
	b.Run("one event of a stream", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			io.WriteString(w, "data: {\"delta\":\"hello\"}\n\n")
		}
	})
}
