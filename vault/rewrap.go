// SPDX-License-Identifier: Apache-2.0

package vault

import "context"

// maxRewrap is how many data keys one commit re-wraps: about 100 KiB of rows, 1.5 MiB if all have the most metadata.
const maxRewrap = 256

// unwrapped are the versions whose data keys the key in use does not wrap.
func (v *core) unwrapped() (left []rowKey) {
	k := v.keys()
	v.look(func(w view) {
		for key, e := range w.rows {
			if r, ok := e.row.(*versionRow); ok && !r.Gone && !k.wrapped(r.DataKey) {
				left = append(left, key)
			}
		}
	})
	return left
}

// rewrapped is a row whose data key is wrapped with another key, and the line that wrote the row as it was.
type rewrapped struct {
	key rowKey
	seq int64
	row *versionRow
}

// loadRewrap wraps data keys of versions with the key in use.
func loadRewrap(ctx context.Context, v *core, c *call) error {
	k, t := v.keys(), c.rotation
	t.rewrapped, t.bulk = t.rewrapped[:0], 0
	v.look(func(w view) {
		for _, key := range t.part {
			if r, seq := w.version(key.name, key.n); r != nil && !r.Gone && !k.wrapped(r.DataKey) {
				row := *r
				t.rewrapped = append(t.rewrapped, rewrapped{key, seq, &row})
			}
		}
	})
	for _, r := range t.rewrapped {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if r.row.DataKey, err = v.sealer.rewrap(k, r.key, r.row.DataKey); err != nil {
			return err
		}
		t.bulk += maxReason + maxMetadata + 512
	}
	return c.rotated(rotateDetail{Step: "wrap", Generation: k.generation, Done: t.done, Total: t.total})
}

// applyRewrap leaves alone what has changed meanwhile: it is deleted, or wrapped with a newer key.
func applyRewrap(b *batch, c *call) {
	for _, r := range c.rotation.rewrapped {
		if _, seq := b.version(r.key.name, r.key.n); seq == r.seq {
			b.write(r.key, r.row)
		}
	}
}
