// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"slices"
	"strings"
)

func checkPlacement(p string) error {
	kind, name, named := strings.Cut(p, ":")
	switch {
	case p == "", p == "bearer":
		return nil
	case named && len(name) <= maxName && (kind == "basic" || kind == "header" || kind == "query") && isToken(name):
		return nil
	}
	return fmt.Errorf("policy: placement is bearer, basic:<user>, header:<Name> or query:<name>")
}

// isToken reports whether s can be a header's name (RFC 9110, token).
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return s != ""
}

// withoutCredential are headers that carry no credential, in lower case: they are between two hops only, a client of HTTP writes them
// itself or fails, or they would bring the answer in a form that cannot be masked. The same goes for all of Proxy- and Keyward-.
var withoutCredential = []string{
	"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
	"accept-encoding", "range", "if-range",
}

// carriesNone reports whether p places the value in a header that carries none, in any spelling: servers may take an underscore for
// a hyphen. Former versions of keyward let such a policy be set; it is stored still, and neither a use nor a
// put gets past it.
func (p Policy) carriesNone() bool {
	name, ok := strings.CutPrefix(p.Placement, "header:")
	if !ok {
		return false
	}
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	return strings.HasPrefix(name, "proxy-") || strings.HasPrefix(name, "keyward-") || slices.Contains(withoutCredential, name)
}
