// SPDX-License-Identifier: Apache-2.0

package vault

// The functions of this file are the changes of step 5. They run in a batch, under the store's lock, on the state
// as it is at the head.

func applyPut(b *batch, c *call) {
	path, n := c.req.Path, c.plan.number
	c.row.Created = b.now
	b.write(rowKey{'v', path, n}, c.row)
	next := *c.plan.secret
	next.Next = n + 1
	b.write(rowKey{kind: 's', name: path}, &next)
	b.sealed = append(b.sealed, Row{rowKey{'x', path, n}.String(), b.seq(), c.sealed})
}

// applyDelete takes the wrapped key and the sealed value. What is left of a version still answers whose a leaked value was.
func applyDelete(b *batch, c *call) {
	for _, n := range c.plan.numbers {
		old, _ := b.version(c.req.Path, n)
		gone := *old
		gone.DataKey, gone.Sum, gone.Gone = nil, [32]byte{}, true
		b.write(rowKey{'v', c.req.Path, n}, &gone)
		b.sealed = append(b.sealed, Row{rowKey{'x', c.req.Path, n}.String(), b.seq(), nil})
	}
}

func applyPolicy(b *batch, c *call) { b.write(rowKey{kind: 's', name: c.req.Path}, c.plan.secret) }

func applyRevoke(b *batch, c *call) {
	k := c.stopRow()
	b.said = append(b.said, k)
	if k.kind == 'k' {
		key := *b.key(k.name)
		key.Revoked = true
		b.write(k, &key)
		return
	}
	t := b.token(c.target)
	t.Revoked = true
	end := b.now.Add(longestTTL) // no token that is alive now lives longer, whatever the MaxTTL of other processes
	if c.who.operator == "" {
		end = c.who.claims.endsBy(longestTTL) // nor does what is below the caller's own link
	}
	t.Expires = max(t.Expires, end.Unix())
	b.write(k, &t)
}

func applyFreeze(b *batch, c *call) {
	b.said = append(b.said, c.frozen.row())
	b.write(c.frozen.row(), &freezeRow{Reason: c.req.Reason, Since: b.now})
}

func applyThaw(b *batch, c *call) {
	if b.v.doomed.has(c.frozen.row()) { // and not if it comes to be while this is committed
		b.said = append(b.said, c.frozen.row())
	}
	b.write(c.frozen.row(), &freezeRow{Reason: c.req.Reason, Since: b.now, Thawed: true})
}

func applyKey(b *batch, c *call) { b.write(keyRowKey(c.target), c.keyRow) }
