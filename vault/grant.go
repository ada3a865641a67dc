// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
)

// Bounds of a grant and its token.
const (
	maxName        = 64
	maxAgent       = 128
	maxDescription = 256
	maxNetworks    = 16
	maxDetail      = 8 << 10 // escaped bytes of a grant in a record
	longestTTL     = 30 * 24 * time.Hour
	longestKey     = 366 * 24 * time.Hour
)

// Grant is what a token may do. In a Grant that narrows an existing token, zero fields change nothing. A name is 1 to 64 of
// A-Z a-z 0-9 _ -: an e-mail address is not one, so map or hash it.
type Grant struct {
	Agent       string         // who acts: names joined by "/", at most 128 bytes. A narrowing may only append: "researcher/summariser"
	Run         string         // a name; like User and Tenant set by the first grant, later ones may only repeat it
	User        string         // a name
	Tenant      string         // a name
	Description string         // at most 256 bytes
	Scopes      scope.Set      // at least one scope
	TTL         time.Duration  // at least a second, at most Config.MaxTTL; fractions of a second are cut off
	MaxUses     int            // zero: not limited
	Networks    []netip.Prefix // at most 16; where set, the caller's address must be known and inside one of them
}

// Link is one grant in the chain of a token.
type Link struct {
	// ID is 32 hex digits behind the parent's ID and a dot. The ID of an agent key or remote operator begins
	// with "key:".
	ID      string
	Issued  time.Time // whole seconds, UTC; in a narrowing by the holder's clock
	Expires time.Time // whole seconds, UTC; zero in a narrowing that does not shorten the life
	Opening string    // 32 hex digits: works only in that opening of the vault, as tokens of Spawn do
	Grant   Grant     // its TTL is zero
}

// Claims are the links of a token, oldest first. Every link must consent to what the token does, and the revocation of
// any ends it.
type Claims []Link

func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

func isAgent(s string) bool {
	if len(s) > maxAgent {
		return false
	}
	for name := range strings.SplitSeq(s, "/") {
		if !isName(name) {
			return false
		}
	}
	return true
}

func below(name, parent string) bool {
	return name == parent || strings.HasPrefix(name, parent+"/")
}

// check refuses a grant whose fields are malformed. What a grant must have, and what it may be inside another, is for
// Claims.check.
func (g Grant) check() error {
	for what, s := range map[string]string{"run": g.Run, "user": g.User, "tenant": g.Tenant} {
		if s != "" && !isName(s) {
			return fmt.Errorf("%s: a name has 1 to 64 of A-Z a-z 0-9 _ -", what)
		}
	}
	switch {
	case g.Agent != "" && !isAgent(g.Agent):
		return fmt.Errorf("agent: names of 1 to 64 of A-Z a-z 0-9 _ - joined by /, at most 128 bytes")
	case len(g.Description) > maxDescription || !utf8.ValidString(g.Description):
		return fmt.Errorf("description: at most %d bytes of UTF-8", maxDescription)
	case g.MaxUses < 0:
		return fmt.Errorf("max uses: zero (not limited) or more")
	case len(g.Networks) > maxNetworks:
		return fmt.Errorf("networks: at most %d", maxNetworks)
	}
	return checkNetworks(g.Networks)
}

func checkNetworks(networks []netip.Prefix) error {
	for i, n := range networks {
		if !n.IsValid() || n != n.Masked() || n.Addr().Is4In6() || slices.Contains(networks[:i], n) {
			return fmt.Errorf("networks: each once, as its first address and length (10.1.0.0/16), IPv4 as IPv4")
		}
	}
	return nil
}

// grantJSON is how a grant stands in the detail of a record and in the row of a key.
type grantJSON struct {
	Agent       string         `json:"agent,omitempty"`
	Run         string         `json:"run,omitempty"`
	User        string         `json:"user,omitempty"`
	Tenant      string         `json:"tenant,omitempty"`
	Description string         `json:"description,omitempty"`
	Scopes      scope.Set      `json:"scopes,omitzero"`
	TTL         int64          `json:"ttl,omitempty"` // seconds
	Issued      int64          `json:"issued,omitempty"`
	Expires     int64          `json:"expires,omitempty"`
	MaxUses     int            `json:"uses,omitempty"`
	Networks    []netip.Prefix `json:"networks,omitempty"`
	Spawned     bool           `json:"spawned,omitempty"`
}

func (l Link) json() grantJSON {
	g := l.Grant
	return grantJSON{
		g.Agent, g.Run, g.User, g.Tenant, g.Description, g.Scopes, int64(g.TTL / time.Second),
		unix(l.Issued), unix(l.Expires), g.MaxUses, g.Networks, l.Opening != "",
	}
}

func (j grantJSON) link(id string) Link {
	g := Grant{j.Agent, j.Run, j.User, j.Tenant, j.Description, j.Scopes, time.Duration(j.TTL) * time.Second, j.MaxUses, j.Networks}
	return Link{ID: id, Issued: fromUnix(j.Issued), Expires: fromUnix(j.Expires), Grant: g}
}

// detail is a grant or key as its record shows it.
func detail(j any) (string, error) {
	b, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	if audit.EscapedLen(string(b)) > maxDetail {
		return "", fmt.Errorf("grant: more than %d bytes in a record; use fewer or shorter scopes", maxDetail)
	}
	return string(b), nil
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromUnix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}
