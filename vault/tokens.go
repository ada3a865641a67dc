// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/audit"
)

// TokenState is what the vault knows of a link.
type TokenState struct {
	Link    Link     // of one narrowed offline only the ID and an end are known
	Parents []string // ids, oldest first; an agent key is the first
	Uses    int      // of a link with MaxUses
	Revoked bool     // it, or a link above it
}

// These tell early that a line is neither the record of an issue nor that of a spawn's end.
var (
	issueMark = []byte(`,"op":"issue",`)
	endMark   = []byte(`"cause":"` + ended.cause + `","op":"revoke",`)
)

// loadTokens collects the links that are alive or were revoked: from the records of their issue, and from the rows of those
// that were narrowed offline. It hashes the whole log, so that what it answers is what was recorded.
func loadTokens(ctx context.Context, v *core, c *call) error {
	links := map[string]Link{}
	s, err := v.newScan(ctx)
	if err != nil {
		return err
	}
	_, err = s.next(ctx, func(seq int64, line []byte) (bool, error) {
		end := bytes.Contains(line, endMark)
		if seq < s.head.reset || !end && !bytes.Contains(line, issueMark) {
			return true, nil
		}
		r, err := audit.ParseRecord(line)
		if err != nil {
			return false, fmt.Errorf("%w: record %d cannot be read", ErrTampered, seq)
		}
		if end && r.Op == opRevoke.name && r.Outcome == audit.Granted {
			delete(links, r.Target)
		}
		l, issued, err := issuedLink(r)
		if issued {
			links[r.Target] = l
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	var out []TokenState
	v.look(func(w view) {
		for k, e := range w.rows {
			if r, ok := e.row.(*tokenRow); ok {
				// If the issue itself is no longer in the log, it was archived once the token had expired.
				if _, known := links[k.name]; !known && links[rootOf(k.name)].ID != "" {
					links[k.name] = Link{ID: k.name, Expires: fromUnix(r.Expires)}
				}
			}
		}
		for id, l := range links {
			t := TokenState{Link: l, Uses: w.token(id).Uses, Parents: parents(id)}
			for _, link := range append(t.Parents, id) {
				k := w.key(link)
				t.Revoked = t.Revoked || w.token(link).Revoked || k != nil && k.Revoked
			}
			alive := true
			for _, link := range append(t.Parents, id) {
				end := links[link].Expires
				alive = alive && (end.IsZero() || w.now.Before(end))
			}
			if alive {
				out = append(out, t)
			}
		}
	})
	slices.SortFunc(out, func(a, b TokenState) int { return strings.Compare(a.Link.ID, b.Link.ID) })
	c.answer = out
	return nil
}

// issuedLink is the link that a record says was issued.
func issuedLink(r audit.Record) (l Link, issued bool, err error) {
	if r.Op != opIssue.name || r.Outcome != audit.Granted {
		return l, false, nil
	}
	var j grantJSON
	if err := json.Unmarshal([]byte(r.Detail), &j); err != nil {
		return l, false, fmt.Errorf("%w: record %d has no grant", ErrTampered, r.Seq)
	}
	return j.link(r.Target), true, nil
}

// parents are the ids above a link.
func parents(id string) (out []string) {
	for i, c := range id {
		if c == '.' {
			out = append(out, id[:i])
		}
	}
	return out
}
