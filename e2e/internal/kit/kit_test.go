// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSearch: a value is found wherever a worker can have it, and a search that does not see is an error.
func TestSearch(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	value := canary("a/b")
	for place, c := range map[string]Command{
		"environment": {Env: []string{"KNOWN=known-value", "V=" + value}},
		"stdout":      {Env: []string{"KNOWN=known-value"}, Args: []string{"cat dir/file"}, Files: map[string][]byte{"dir/file": []byte(value)}},
		"stderr":      {Env: []string{"KNOWN=known-value"}, Args: []string{"cat dir/file >&2"}, Files: map[string][]byte{"dir/file": []byte(value)}},
		"dir/file":    {Env: []string{"KNOWN=known-value"}, Files: map[string][]byte{"dir/file": []byte(base64.StdEncoding.EncodeToString([]byte("xx" + value)))}},
		"":            {Env: []string{"KNOWN=known-value"}},
		"blind":       {Env: []string{"KNOWN=another"}},
	} {
		k := &Kit{dir: t.TempDir(), Upstream: newUpstream()}
		t.Cleanup(k.Upstream.Close)
		c.Name = "sh"
		c.Args = []string{"sh", "-c", strings.Join(append(c.Args, "echo", "echo "+Done, "read x"), "\n")}
		w, err := k.Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.stop)
		if !w.hasProc() && (place == "environment" || place == "blind") {
			continue
		}
		_, found, err := k.sweep(w, "known-value", []string{canary("c/d"), value})
		if (place == "blind") != (err != nil) {
			t.Errorf("%q: %v", place, err)
		}
		if place != "" && place != "blind" && !slices.Contains(found, place) || place == "" && len(found) > 0 {
			t.Errorf("%q: found in %q", place, found)
		}
		if hidden := k.Hidden(w, "known-value", value) == nil; hidden != (place == "") {
			t.Errorf("%q: hidden %v", place, hidden)
		}
	}
}

func TestHolds(t *testing.T) {
	value := canary("a/b")
	for name, text := range map[string]string{
		"plain": "x" + value + "x", "hex": "0" + hex.EncodeToString([]byte(value)),
		"base64 0": base64.StdEncoding.EncodeToString([]byte(value)), "base64 1": base64.StdEncoding.EncodeToString([]byte("x" + value + "y")),
		"base64 2": base64.StdEncoding.EncodeToString([]byte("xx" + value)),
	} {
		if !holds([]byte(text), []string{value}) {
			t.Errorf("%s: not found", name)
		}
	}
	if holds([]byte(value[1:]), []string{value}) {
		t.Error("found what is not there")
	}
}

// TestUpstream: it answers who brings the key, as the script says, and tells of everything else.
func TestUpstream(t *testing.T) {
	u := newUpstream()
	defer u.Close()
	u.keys = map[string]string{OpenAIKey: "right-key"}
	ask := func(key, phrase string) string {
		body := fmt.Sprintf(`{"messages": %q, "tools": [{"function": {"name": "vault_get_secret"}}]}`, phrase)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.URL+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	script := Script{"the writer": {{Tool: "get_secret", Args: map[string]any{"path": "a/b"}}, {Text: "written"}}}
	for _, c := range []struct {
		key, phrase, want string
		fails             bool
	}{
		{"right-key", "the writer", `"vault_get_secret"`, false},
		{"right-key", "the writer", "written", false},
		{"right-key", "the writer", "no answer", true}, // a third time
		{"right-key", "the reader", "no answer", true},
		{"wrong-key", "the writer", "no answer", true},
	} {
		if c.want == `"vault_get_secret"` {
			u.Play(script)
		}
		got := ask(c.key, c.phrase)
		if !strings.Contains(got, c.want) || strings.Contains(got, "-key") {
			t.Errorf("%s, %s: %s", c.key, c.phrase, got)
		}
		if _, err := u.Played(); (err != nil) != (c.fails || c.want != "written") {
			t.Errorf("%s, %s: %v", c.key, c.phrase, err)
		}
	}
}
