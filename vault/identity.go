// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// identity is who asks, as far as a credential proves it: step 2 of the door.
type identity struct {
	refused  *refusal  // the credential is none of this vault's
	operator string    // the name of an operator, who has every right
	hash     *[32]byte // of an agent key or a remote operator's
	remote   bool      // the credential must be, or must not be, an operator's
	key      string    // its link id, found by hash
	claims   Claims    // of a token; of a key its link alone
	ends     time.Time // when the claims of a token are dead, if nothing ends them earlier
	from     netip.Addr

	generation uint32 // of the keyring that proved it
}

// authenticate is step 2. What it finds out does not change while the keyring does not, but for a key, which lookUp seeks in
// the state: so a session that lives long checks its token once.
func (s *Session) authenticate(ctx context.Context) *identity {
	generation := s.core().keys().generation
	if id := s.known.Load(); id != nil && id.generation == generation {
		return id
	}
	id := s.prove(ctx)
	id.generation = generation
	if id.hash == nil && id.refused == nil {
		s.known.Store(id)
	}
	return id
}

func (s *Session) prove(ctx context.Context) *identity {
	id := &identity{from: s.from.Unmap().WithZone("")}
	if s.operator != nil {
		id.operator = *s.operator
		if !isName(id.operator) {
			id.operator, id.refused = "", invalid(fmt.Errorf("operator: a name has 1 to 64 of A-Z a-z 0-9 _ -"))
		}
		return id
	}
	text := s.token.Reveal()
	prefix := prefixAgent
	if s.remote {
		prefix = prefixOp
	}
	// A token where an operator's credential belongs is no operator's, but its record says whose it is.
	if s.remote && !strings.HasPrefix(text, prefixToken) || strings.HasPrefix(text, prefixAgent) || strings.HasPrefix(text, prefixOp) {
		if b, err := decodeText(prefix, text); err != nil || len(b) != keyLen {
			id.refused = badKey
			return id
		}
		hash := sha256.Sum256([]byte(text))
		id.hash, id.remote = &hash, s.remote
		return id
	}
	var claims Claims
	err := contain(func() (err error) {
		claims, err = s.core().issuer.Verify(ctx, s.token)
		return err
	})
	if err != nil || claims.check() != nil {
		id.refused = badToken
		return id
	}
	id.claims = claims.clone()
	id.ends = id.claims.endsBy(s.core().maxTTL)
	switch {
	case !id.claims.from(id.from):
		id.refused = badNetwork
	case s.remote:
		id.refused = badKey
	}
	return id
}

// lookUp finds the row of a key by the hash of the credential. Nobody without the credential causes more than that.
func (id *identity) lookUp(w view) {
	if id.hash == nil {
		return
	}
	id.refused, id.key, id.operator, id.claims = badKey, w.keyByHash(*id.hash), "", nil
	k := w.key(id.key)
	if k == nil || k.Operator != id.remote {
		return
	}
	id.claims = Claims{k.Limits}
	if !id.claims.from(id.from) {
		id.refused = badNetwork
		return
	}
	id.refused = nil
	if k.Operator {
		id.operator = k.Name
	}
}

func (c Claims) clone() Claims {
	out := make(Claims, len(c))
	for i, l := range c {
		l.Grant.Networks = append([]netip.Prefix(nil), l.Grant.Networks...)
		out[i] = l
	}
	return out
}
