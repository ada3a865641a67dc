// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Upstream is the services that the agents' keys are for: an LLM that follows a script, in the formats of OpenAI and of
// Anthropic, and a search. Each answers only who brings its key, and never says what was brought.
type Upstream struct {
	*httptest.Server
	keys map[string]string // what stands at a path of the vault

	mu     sync.Mutex
	script Script
	next   map[string]int // turns taken, by phrase
	seen   strings.Builder
	failed []error
}

// Script says what the LLM answers. Its keys are phrases, of which one stands in the JSON of every request of an agent, as in
// its system prompt; the turns of each are taken one a request.
type Script map[string][]Turn

// Turn is one answer: text, or the call of a tool, which may have a text with it.
type Turn struct {
	Text string
	Tool string // a part of the name of one tool that the agent was offered
	Args map[string]any
}

// The paths of the keys that the upstream asks for.
const (
	OpenAIKey    = "production/openai/api-key"
	AnthropicKey = "production/anthropic/api-key"
	SearchKey    = "production/search/search-key"
)

// Found is what the search answers to who brings its key.
const Found = "three papers on keeping credentials from agents"

func newUpstream() *Upstream {
	u := &Upstream{keys: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", u.keyed(OpenAIKey, "Authorization", "Bearer ", u.openAI))
	mux.HandleFunc("POST /v1/messages", u.keyed(AnthropicKey, "X-Api-Key", "", u.anthropic))
	mux.HandleFunc("GET /search", u.keyed(SearchKey, "Authorization", "Bearer ", func(w http.ResponseWriter, _ []byte) {
		_, _ = io.WriteString(w, Found)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		u.fail(w, http.StatusNotFound, fmt.Errorf("nobody was to ask for %s %s", r.Method, r.URL.Path))
	})
	u.Server = httptest.NewServer(mux)
	return u
}

// keyed lets a request pass that has the key in the header.
func (u *Upstream) keyed(path, header, scheme string, next func(http.ResponseWriter, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := u.keys[path]
		if key == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get(header)), []byte(scheme+key)) != 1 {
			u.fail(w, http.StatusUnauthorized, fmt.Errorf("%s was asked for without the key of %s in %s", r.URL.Path, path, header))
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			u.fail(w, http.StatusBadRequest, err)
			return
		}
		next(w, body)
	}
}

func (u *Upstream) fail(w http.ResponseWriter, status int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failed = append(u.failed, err)
	http.Error(w, "the script has no answer", status)
}

// Play begins a script.
func (u *Upstream) Play(s Script) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.script, u.next, u.failed = s, map[string]int{}, nil
	u.seen.Reset()
}

// Played returns what the LLM was sent since Play, and an error if a request was refused or a turn is left.
func (u *Upstream) Played() (seen string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	err = errors.Join(u.failed...)
	for phrase, turns := range u.script {
		if n := u.next[phrase]; n < len(turns) {
			err = errors.Join(err, fmt.Errorf("the LLM was asked %d times about %q, and was to be %d times", n, phrase, len(turns)))
		}
	}
	return u.seen.String(), err
}

// turn returns the next answer to the agent whose phrase is in the request, with the full name of its tool.
func (u *Upstream) turn(body []byte, offered []string) (Turn, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen.Write(body)
	for _, phrase := range slices.Sorted(maps.Keys(u.script)) {
		if !strings.Contains(string(body), phrase) {
			continue
		}
		n := u.next[phrase]
		if n == len(u.script[phrase]) {
			return Turn{}, fmt.Errorf("no turn is left for %q", phrase)
		}
		u.next[phrase]++
		t := u.script[phrase][n]
		if t.Tool == "" {
			return t, nil
		}
		for _, name := range offered {
			if strings.Contains(name, t.Tool) {
				t.Tool = name
				return t, nil
			}
		}
		return Turn{}, fmt.Errorf("%q was offered the tools %q, and none is %s", phrase, offered, t.Tool)
	}
	return Turn{}, fmt.Errorf("no phrase of the script is in %.2000s", body)
}
