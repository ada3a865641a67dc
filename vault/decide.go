// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"github.com/keyward-go/keyward/scope"
)

// decide is step 3 of the door and the heart of step 5: a pure function of the request, who asks, and the state. It
// returns no refusal for a grant, and what the call then does. It runs early, to refuse without cost, and again at the head of the log, where it counts.
func decide(w view, c *call) (plan, *refusal) {
	if r := authority(w, c); r != nil {
		return plan{}, r
	}
	if c.malformed != nil {
		return plan{}, c.malformed
	}
	if r := stopped(w, c); r != nil {
		return plan{}, r
	}
	p, r := c.op.decide(w, c)
	if r == nil && w.behind && !c.op.always {
		r = clockBehind
	}
	return p, r
}

// plan is what a granted call will do.
type plan struct {
	secret   *secretRow  // the row of the path, as a put leaves it
	version  *versionRow // the version to read
	number   int         // its number, or that of the version that a put makes
	numbers  []int       // the versions that a delete takes
	dest     destination // where a use goes
	sight    sight
	override string // what would have refused a token, for an operator
}

// sight is the lines that wrote the rows of policy and version on which a value was opened or sealed. If they are others
// at the head, that has to be done again.
type sight struct{ policy, version int64 }

// authority says whether the credential is alive and good for this kind of call.
func authority(w view, c *call) *refusal {
	who := c.who
	switch {
	case who.refused != nil:
		return who.refused
	case who.key != "":
		if r := deadKey(w, who.key); r != nil {
			return r
		}
	case len(who.claims) > 0:
		if r := dead(w, who); r != nil {
			return r
		}
	}
	switch {
	case who.operator != "":
		return nil
	case who.key != "" && !c.op.byAgentKey, who.key == "" && !c.op.byToken:
		return noRight
	}
	return nil
}

// dead says why a token no longer works, if it does not. A link that was revoked ends everything below it, since every
// chain below holds that link.
func dead(w view, who *identity) *refusal {
	claims := who.claims
	if claims.byKey() {
		if r := deadKey(w, claims[0].ID); r != nil {
			return r
		}
	}
	if !w.now.Before(who.ends) {
		return expired
	}
	switch issued := claims[claims.first()].Issued; {
	case issued.After(w.now):
		return notYet
	case issued.Unix() < w.at.since:
		return revoked
	}
	for _, l := range claims {
		t := w.token(l.ID)
		switch {
		case t.Revoked || w.v.doomed.has(rowKey{kind: 't', name: l.ID}):
			return revoked
		case l.Opening != "" && (l.Opening != w.v.opening || !w.v.spawns.has(l.ID)):
			return ended
		case l.Grant.MaxUses > 0 && t.Uses >= l.Grant.MaxUses:
			return usedUp
		}
	}
	return nil
}

func deadKey(w view, id string) *refusal {
	k := w.key(id)
	if k == nil || k.Revoked || !w.now.Before(k.Limits.Expires) || w.v.doomed.has(keyRowKey(id)) {
		return keyDead
	}
	return nil
}

// stopped says whether a freeze stands in the way. Operators are not stopped, and tokens may still revoke.
func stopped(w view, c *call) *refusal {
	if c.who.operator != "" || c.op.always {
		return nil
	}
	if c.op.onePath && pathFrozen(w, c.req.Path) {
		return isFrozen
	}
	for f := range w.freezes {
		for _, l := range c.who.claims {
			if f.stops(l.Grant) {
				return isFrozen
			}
		}
		if c.grant != nil && f.stops(*c.grant) {
			return isFrozen
		}
	}
	return nil
}

func pathFrozen(w view, path string) bool {
	for f := range w.freezes {
		if f.Kind == kindPath && scope.Match(f.Value, path) {
			return true
		}
	}
	return false
}

// covered says whether every link of a token consents.
func covered(c *call) *refusal {
	if c.who.operator == "" && !c.who.claims.allows(c.op.action, c.req.Path) {
		return outOfScope
	}
	return nil
}

// decideRead is for Get and Use: scope, version, expiry, tier and, for a use, host.
func decideRead(w view, c *call) (p plan, r *refusal) {
	if r = covered(c); r != nil {
		return p, r
	}
	if p, r = find(w, c.req); r != nil {
		return p, r
	}
	if p.override, r = guarded(w, c, p.secret.Policy); r != nil {
		return p, r
	}
	if c.op.toHost && c.dest.method != "" && p.secret.Policy.carriesNone() {
		return p, noHeader
	}
	if c.op.toHost {
		p.dest, r = decideHost(p.secret.hosts, c.dest)
	}
	return p, r
}

// find names the version that a request means.
func find(w view, q Request) (p plan, r *refusal) {
	if p.secret, p.sight.policy = w.secret(q.Path); p.secret == nil {
		return p, notFound
	}
	if p.number = q.Version; p.number == 0 {
		p.number = p.secret.Next - 1
	}
	if p.version, p.sight.version = w.version(q.Path, p.number); p.version == nil || p.version.Gone {
		return p, notFound
	}
	return p, nil
}

// guarded holds a token against the expiry and tier of a path. An operator passes these, and a freeze of the path, as an
// override that the record shows.
func guarded(w view, c *call, p Policy) (override string, r *refusal) {
	switch {
	case c.who.operator != "" && pathFrozen(w, c.req.Path):
		r = isFrozen
	case p.Tier.rank() > 0:
		r = needsApproval
	case p.expired(w.now):
		r = secretExpired
	}
	if r != nil && c.who.operator != "" {
		return r.cause, nil
	}
	return "", r
}

// decideHost returns where the value goes, which a policy of one host may complete.
func decideHost(hosts []hostEntry, d destination) (destination, *refusal) {
	switch {
	case d.method == "" && len(hosts) == 0:
		return d, nil
	case d.method == "":
		return d, needsURL
	case len(hosts) == 0:
		return d, noHosts
	}
	if d.host == "" {
		var ok bool
		if d.origin, ok = oneOrigin(hosts); !ok {
			return d, whichHost
		}
	}
	for _, h := range hosts {
		if h.matches(d) {
			return d, nil
		}
	}
	return d, wrongHost
}

// decidePut names the version that the put makes and the policy that the path has then.
func decidePut(w view, c *call) (p plan, r *refusal) {
	if r = covered(c); r != nil {
		return p, r
	}
	path, by := c.req.Path, *c.policy
	if p.secret, p.sight.policy = w.secret(path); p.secret == nil {
		if twin := w.pathLike(path); twin != "" {
			return p, caseTwin
		}
		if len(by.Hosts) > 0 && c.who.operator == "" {
			return p, tokenHosts
		}
		p.secret = newSecretRow(by, 1)
	} else {
		if p.override, r = guarded(w, c, p.secret.Policy); r != nil {
			return p, r
		}
		tight, err := p.secret.Policy.tighten(by)
		if err == nil {
			err = tight.check()
		}
		if err != nil {
			return p, loosens(err)
		}
		p.secret = newSecretRow(tight, p.secret.Next)
	}
	p.number = p.secret.Next
	if c.req.Version != 0 && c.req.Version != p.number {
		return p, conflict
	}
	return p, nil
}

// decideDelete is for one version or, with version 0, all.
func decideDelete(w view, c *call) (p plan, r *refusal) {
	if r = covered(c); r != nil {
		return p, r
	}
	if p.secret, _ = w.secret(c.req.Path); p.secret == nil {
		return p, notFound
	}
	if p.override, r = guarded(w, c, p.secret.Policy); r != nil {
		return p, r
	}
	p.number = c.req.Version
	for n := 1; n < p.secret.Next; n++ {
		if v, _ := w.version(c.req.Path, n); v != nil && !v.Gone && (p.number == 0 || p.number == n) {
			p.numbers = append(p.numbers, n)
		}
	}
	if len(p.numbers) == 0 {
		return p, notFound
	}
	return p, nil
}
