// SPDX-License-Identifier: Apache-2.0

package frametest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// core is what is looked for. The value around it is escaped in its own way by JSON, HTML and URLs; these letters and digits
// by none.
const (
	core   = "kwCANARY7f3a9Q5zkwCANARY"
	canary = `<"` + core + `+/&'>`
)

// Saw is what a run has shown, by place. It is safe for concurrent use.
type Saw struct {
	mu    sync.Mutex
	texts map[string]*strings.Builder
}

// Text notes all of v as text: what it prints as, and what its JSON is.
func (s *Saw) Text(place string, v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.texts[place]
	if b == nil {
		b = &strings.Builder{}
		s.texts[place] = b
	}
	switch v := v.(type) {
	case []byte:
		b.Write(v)
	default:
		fmt.Fprintf(b, "%+v\n", v)
		text, _ := json.Marshal(v) // what has no JSON is printed above
		b.Write(text)
	}
	b.WriteByte('\n')
}

// showing returns the places that show the value, in order.
func (s *Saw) showing() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for place, text := range maps.All(s.texts) {
		if shows(text.String()) {
			out = append(out, place)
		}
	}
	slices.Sort(out)
	return out
}

func shows(text string) bool {
	for _, form := range forms(core) {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// forms are the ways to write v that are looked for: of base64 the middle, which does not depend on what stands around it.
func forms(v string) []string {
	out := []string{v, url.QueryEscape(v), hex.EncodeToString([]byte(v)), strings.ToUpper(hex.EncodeToString([]byte(v)))}
	for behind := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, behind), v...))
		middle := text[4 : len(text)-4]
		out = append(out, middle, strings.NewReplacer("+", "-", "/", "_").Replace(middle))
	}
	return out
}
