// SPDX-License-Identifier: Apache-2.0

package frametest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
)

// A value is found however it is written, and nothing is found where there is none.
func TestShows(t *testing.T) {
	asJSON, _ := json.Marshal(map[string]string{"key": canary}) // a string
	for name, text := range map[string]string{
		"raw":          "key=" + canary,
		"JSON":         string(asJSON),
		"Go":           fmt.Sprintf("%q", canary),
		"query":        url.QueryEscape(canary),
		"HTML":         html.EscapeString(canary),
		"hex":          hex.EncodeToString([]byte(canary)),
		"upper hex":    strings.ToUpper(hex.EncodeToString([]byte(canary))),
		"base64":       base64.StdEncoding.EncodeToString([]byte("Bearer " + canary)),
		"base64, 1 on": base64.RawURLEncoding.EncodeToString([]byte("+Bearer " + canary)),
		"base64, 2 on": base64.URLEncoding.EncodeToString([]byte("++Bearer " + canary + "++")),
	} {
		if saw := (&Saw{texts: map[string]*strings.Builder{}}); !shows(text) {
			t.Errorf("%s: not found", name)
		} else if saw.Text("place", struct{ Inner *string }{&text}); len(saw.showing()) != 1 {
			t.Errorf("%s: not found behind a pointer", name)
		}
	}
	for _, text := range []string{"", "[redacted]", "kwCANARY", strings.ToLower(canary), base64.StdEncoding.EncodeToString([]byte("Bearer none"))} {
		if shows(text) {
			t.Errorf("found in %q", text)
		}
	}
}
