// SPDX-License-Identifier: Apache-2.0

package vault

import "strings"

// doomed is what could not be made durable as revoked or frozen, and is refused in this process all the same.
type doomed struct {
	links   set[rowKey] // and keys
	freezes set[rowKey]
}

func (d *doomed) of(k rowKey) *set[rowKey] {
	if k.kind == 'f' {
		return &d.freezes
	}
	return &d.links
}

func (d *doomed) add(k rowKey) {
	if k != (rowKey{}) {
		d.of(k).add(k)
	}
}
func (d *doomed) remove(k rowKey)   { d.of(k).remove(k) }
func (d *doomed) has(k rowKey) bool { return d.of(k).has(k) }

// maxDoomed is how many links below their own tokens may doom; above it their own link is.
const maxDoomed = 1024

// dooms is what is to be refused in this process if the call, which the state as it is allows, cannot be made durable.
func (v *core) dooms(c *call) rowKey {
	switch {
	case c.op != opRevoke && c.op != opFreeze || c.refused != nil:
		return rowKey{}
	case c.who.operator == "" && v.doomed.links.size.Load() >= maxDoomed:
		return rowKey{kind: 't', name: c.who.claims[c.who.claims.first()].ID}
	}
	return c.stopRow()
}

// stopRow is the row that says durably what a revocation or freeze stops.
func (c *call) stopRow() rowKey {
	switch {
	case c.op == opFreeze:
		return c.frozen.row()
	case strings.HasPrefix(c.target, keyPrefix) && !strings.Contains(c.target, "."):
		return keyRowKey(c.target)
	}
	return rowKey{kind: 't', name: c.target}
}
