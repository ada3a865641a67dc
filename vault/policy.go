// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// Tier says how much a path is guarded. Until approvals exist, Sensitive and Critical refuse every token; operators are
// not stopped, and their reads are recorded as overrides.
type Tier string

// The tiers, lowest first. The zero Tier is Standard.
const (
	Standard  Tier = "standard"
	Sensitive Tier = "sensitive"
	Critical  Tier = "critical"
)

func (t Tier) rank() int {
	if t == "" {
		return 0
	}
	return slices.Index([]Tier{Standard, Sensitive, Critical}, t)
}

const (
	maxPolicy = 4 << 10
	maxHosts  = 32
)

var types = []string{"", "api_key", "oauth_token", "db_credential", "ssh_key", "certificate", "custom"}

// Policy is of a path, not of a version: it is kept through deletion and re-creation. An operator's SetPolicy replaces
// it; Put can only tighten it: a higher tier, an earlier expiry, a subset of the entries of hosts and networks, the same
// type and placement. At most 4 KiB in all, as its record shows it.
type Policy struct {
	// Type is api_key, oauth_token, db_credential, ssh_key, certificate, custom or empty.
	Type string
	Tier Tier
	// Hosts are the only places where Use may take the value, at most 32:
	//
	//	[METHOD,… ][http://]host[:port][/prefix]
	//
	// as in "api.tavily.com" or "GET,POST api.example.com/v1". The host is a lower-case name or an IP address, compared
	// exactly; the port is the scheme's if none is given, and is not written then; methods are in the order of letters; the scheme is https unless the entry says http, which needs
	// Networks; a prefix ends at a segment. A secret without hosts is not for HTTP.
	Hosts []string
	// Networks are where the hosts may resolve to, at most 16. If empty, only public addresses may be dialled. The vault
	// keeps and records Networks and Placement; it dials nothing, so the function given to Use has to heed them.
	Networks []netip.Prefix
	// Placement is where a request carries the value: bearer (if empty), basic:<user>, header:<Name>, query:<name>. Name is no header
	// that HTTP or keyward uses itself, such as Host or Connection.
	Placement string
	// Expires ends the use of the path by tokens. Whole seconds; zero: never.
	Expires time.Time
}

// check refuses a policy that may not be set.
func (p Policy) check() error {
	if err := p.checkForm(); err != nil {
		return err
	}
	if p.carriesNone() {
		return fmt.Errorf("policy: placement: HTTP uses this header itself, so it carries no credential; name another, as X-Api-Key")
	}
	return nil
}

// checkForm refuses a policy that no version of keyward has set.
func (p Policy) checkForm() error {
	switch {
	case !slices.Contains(types, p.Type):
		return fmt.Errorf("policy: type is one of %s", strings.Join(types[1:], ", "))
	case p.Tier.rank() < 0:
		return fmt.Errorf("policy: tier is standard, sensitive or critical")
	case len(p.Hosts) > maxHosts:
		return fmt.Errorf("policy: at most %d hosts", maxHosts)
	case len(p.Networks) > maxNetworks:
		return fmt.Errorf("policy: at most %d networks", maxNetworks)
	case !p.Expires.IsZero() && (p.Expires.Nanosecond() != 0 || p.Expires.Unix() <= 0 || p.Expires.Unix() > yearLimit):
		return fmt.Errorf("policy: expiry is a whole second before the year 10000")
	}
	for i, h := range p.Hosts {
		e, err := parseHost(h)
		if err != nil {
			return fmt.Errorf("policy: host %d: %w", i+1, err)
		}
		if e.scheme == "http" && len(p.Networks) == 0 {
			return fmt.Errorf("policy: host %d: http needs Networks that name where it may go, such as 127.0.0.0/8", i+1)
		}
		if slices.Contains(p.Hosts[:i], h) {
			return fmt.Errorf("policy: host %d stands there twice", i+1)
		}
	}
	if err := checkPlacement(p.Placement); err != nil {
		return err
	}
	if err := checkNetworks(p.Networks); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	if b, err := json.Marshal(p.json()); err != nil || audit.EscapedLen(string(b)) > maxPolicy {
		return fmt.Errorf("policy: at most %d bytes, escaped", maxPolicy)
	}
	return nil
}

// tighten is p with the set fields of by. It says what by would loosen.
func (p Policy) tighten(by Policy) (Policy, error) {
	switch {
	case by.Type != "" && by.Type != p.Type:
		return p, fmt.Errorf("type differs")
	case by.Placement != "" && by.Placement != p.Placement:
		return p, fmt.Errorf("placement differs")
	case by.Tier != "" && by.Tier.rank() < p.Tier.rank():
		return p, fmt.Errorf("tier is lower")
	case !by.Expires.IsZero() && !p.Expires.IsZero() && by.Expires.After(p.Expires):
		return p, fmt.Errorf("expiry is later")
	case !subset(by.Hosts, p.Hosts):
		return p, fmt.Errorf("hosts are not a subset")
	case !subset(by.Networks, p.Networks):
		return p, fmt.Errorf("networks are not a subset")
	}
	if by.Tier != "" {
		p.Tier = by.Tier
	}
	if !by.Expires.IsZero() {
		p.Expires = by.Expires
	}
	if len(by.Hosts) > 0 {
		p.Hosts = by.Hosts
	}
	if len(by.Networks) > 0 {
		p.Networks = by.Networks
	}
	// Fewer networks may leave an http entry without any, which check refuses; an empty set changes nothing.
	return p, nil
}

func subset[T comparable](some, all []T) bool {
	for _, e := range some {
		if !slices.Contains(all, e) {
			return false
		}
	}
	return true
}

func (p Policy) clone() Policy {
	p.Hosts, p.Networks = slices.Clone(p.Hosts), slices.Clone(p.Networks)
	return p
}

func (p Policy) isZero() bool {
	return p.Type == "" && p.Tier == "" && len(p.Hosts) == 0 && len(p.Networks) == 0 && p.Placement == "" && p.Expires.IsZero()
}

func (p Policy) expired(now time.Time) bool { return !p.Expires.IsZero() && !now.Before(p.Expires) }

// policyJSON is how a policy stands in its row and in the detail of a record.
type policyJSON struct {
	Type      string         `json:"type,omitempty"`
	Tier      Tier           `json:"tier,omitempty"`
	Hosts     []string       `json:"hosts,omitempty"`
	Networks  []netip.Prefix `json:"networks,omitempty"`
	Placement string         `json:"placement,omitempty"`
	Expires   int64          `json:"expires,omitempty"`
}

func (p Policy) json() policyJSON {
	return policyJSON{p.Type, p.Tier, p.Hosts, p.Networks, p.Placement, unix(p.Expires)}
}

func (j policyJSON) policy() Policy {
	return Policy{j.Type, j.Tier, j.Hosts, j.Networks, j.Placement, fromUnix(j.Expires)}
}

func decidePolicy(w view, c *call) (p plan, r *refusal) {
	next := 1
	if secret, _ := w.secret(c.req.Path); secret != nil {
		next = secret.Next
	} else if w.pathLike(c.req.Path) != "" {
		return p, caseTwin
	}
	p.secret = newSecretRow(*c.policy, next)
	return p, nil
}

// policyDetail is a policy as its record shows it.
func policyDetail(p Policy) string {
	b, _ := json.Marshal(p.json()) // checked before
	return string(b)
}
