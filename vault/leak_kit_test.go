// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// canary is a text that stands nowhere else. Its core has letters and digits only, so that JSON, percent and HTML escapes
// leave it as it is: whoever finds the core, or its bytes in another notation, has found the text.
type canary struct {
	name, core string
	forms      map[string]string
}

var canaries atomic.Int64

func newCanary(name string) *canary {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return canaryOf(name, fmt.Sprintf("kw%dq%s", canaries.Add(1), hex.EncodeToString(b[:])))
}

// text is no path, no name and no scope.
func (c *canary) text() string { return "+=" + c.core + "=+" }

func canaryOf(name, core string) *canary {
	c := &canary{name: name, core: core, forms: map[string]string{}}
	b := []byte(core)
	c.add("raw", core)
	c.add("reversed", reverse(core))
	for _, format := range []string{"%d", "%x", "%X", "% x", "% X", "%o", "%b", "%U", "%c", "%q", "%t", "%e", "%#v", "%#x", "%#o"} {
		c.add("bytes as "+format, fmt.Sprintf(format, b))
		c.add("runes as "+format, fmt.Sprintf(format, []rune(core)))
	}
	c.add("JSON list", strings.Join(strings.Fields(fmt.Sprintf("%d", b)), ","))
	c.add("hex dump", fmt.Sprintf("% x", b[:8]))
	percent := ""
	for _, x := range b {
		percent += fmt.Sprintf("%%%02X", x)
	}
	c.add("percent", percent)
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 {
			whole := enc.EncodeToString(append(bytes.Repeat([]byte{0}, shift), b...))
			c.add(fmt.Sprint(name, " shifted by ", shift), whole[(shift*8+5)/6:len(whole)-2]) // what does not hang on the neighbours
		}
	}
	return c
}

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func (c *canary) add(name, form string) {
	form = strings.Trim(form, "[]{}\"() ")
	form = strings.TrimPrefix(form, "byte{")
	if len(form) >= 12 {
		c.forms[name] = form
	}
}

// in says in which notation the canary stands in a text; "" if it does not.
func (c *canary) in(text string) string {
	for name, form := range c.forms {
		if strings.Contains(text, form) {
			return name
		}
	}
	return ""
}

func inAnHour() time.Time { return time.Now().Add(time.Hour) }
