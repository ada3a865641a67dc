// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"strings"
)

func (c *call) checkRevoke() error {
	id, isKey := strings.CutPrefix(c.target, keyPrefix)
	if len(c.target) <= longestID {
		good := true
		for part := range strings.SplitSeq(id, ".") {
			good = good && isHexID(part)
		}
		if good {
			return nil
		}
	}
	c.target = ""
	if isKey {
		return fmt.Errorf("revoke: not the id of a key")
	}
	return fmt.Errorf("revoke: not the id of a link; Claims and Tokens show them")
}

// decideRevoke lets a token revoke its last link and what was narrowed from it, and an operator any link and any key.
func decideRevoke(w view, c *call) (plan, *refusal) {
	if c.who.operator == "" {
		if own := c.who.claims.last().ID; c.target != own && !strings.HasPrefix(c.target, own+".") {
			return plan{}, outOfScope
		}
	}
	if w.key(c.target) != nil && !strings.HasPrefix(c.target, keyPrefix) {
		return plan{}, invalid(fmt.Errorf("that is the id of a key without its %q in front", keyPrefix))
	}
	if k := c.stopRow(); k.kind == 'k' && w.key(c.target) == nil {
		return plan{}, noKey
	}
	if root := rootOf(c.target); c.who.operator == "" && c.target != root && w.revoked(root) >= maxRevoked {
		return plan{}, tooMany
	}
	return plan{}, nil
}

// maxRevoked is how many links of one grant are revoked one by one; each is a row that every process holds.
const maxRevoked = 1024

// rootOf is the id of the grant from which a link comes.
func rootOf(id string) string {
	rest, isKey := strings.CutPrefix(id, keyPrefix)
	parts := strings.SplitN(rest, ".", 3)
	if isKey && len(parts) > 1 {
		return keyPrefix + parts[0] + "." + parts[1]
	}
	return id[:len(id)-len(rest)+len(parts[0])]
}
