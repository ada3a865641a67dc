// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"strings"
	"time"
)

// view is what a decision sees: the state, and over it what the running batch has changed.
type view struct {
	*state
	over   *staging // nil outside a batch
	at     *head    // where it stands: in a batch the state's own may be older
	now    time.Time
	behind bool // the wall clock is too far behind the log
	absurd bool // it shows no time that a record could hold
	v      *core
}

func (w view) get(k rowKey) entry {
	if w.over != nil {
		if e, ok := w.over.rows[k]; ok {
			return e
		}
	}
	return w.rows[k]
}

// revoked is how many links of a grant are.
func (w view) revoked(root string) int {
	n := w.revokedBelow[root]
	if w.over != nil {
		n += w.over.revoked[root]
	}
	return n
}

func (w view) secret(path string) (*secretRow, int64) {
	e := w.get(rowKey{kind: 's', name: path})
	r, _ := e.row.(*secretRow)
	return r, e.seq
}

func (w view) version(path string, n int) (*versionRow, int64) {
	e := w.get(rowKey{'v', path, n})
	r, _ := e.row.(*versionRow)
	return r, e.seq
}

// token is the zero row while there is nothing to say about a link.
func (w view) token(id string) tokenRow {
	if r, ok := w.get(rowKey{kind: 't', name: id}).row.(*tokenRow); ok {
		return *r
	}
	return tokenRow{}
}

// key is the row of a link id that begins with "key:".
func (w view) key(id string) *keyRow {
	r, _ := w.get(keyRowKey(id)).row.(*keyRow)
	return r
}

func keyRowKey(id string) rowKey { return rowKey{kind: 'k', name: strings.TrimPrefix(id, keyPrefix)} }

// keyByHash finds the credential of an agent process or remote operator, and gives its link id.
func (w view) keyByHash(h [32]byte) string {
	name, ok := w.byHash[h]
	if w.over != nil && !ok {
		name, ok = w.over.byHash[h]
	}
	if !ok {
		return ""
	}
	return keyPrefix + name
}

// pathLike is the path that differs from the given new one by case alone, or "".
func (w view) pathLike(path string) string {
	lower := strings.ToLower(path)
	if twin := w.folded[lower]; twin != "" || w.over == nil {
		return twin
	}
	return w.over.folded[lower]
}

// freezes are those in force.
func (w view) freezes(yield func(Frozen) bool) {
	if len(w.frozen) == 0 && (w.over == nil || len(w.over.frozen) == 0) && w.v.doomed.freezes.size.Load() == 0 {
		return
	}
	for k, f := range w.frozen {
		if w.over != nil {
			if _, staged := w.over.frozen[k]; staged {
				continue
			}
		}
		if !yield(f) {
			return
		}
	}
	if w.over != nil {
		for k, on := range w.over.frozen {
			if on && !yield(frozenOf(k)) {
				return
			}
		}
	}
	for _, k := range w.v.doomed.freezes.all() {
		if !yield(frozenOf(k)) {
			return
		}
	}
}
