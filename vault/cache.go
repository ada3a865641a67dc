// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"math"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// cache keeps what was used last, up to a number of bytes. It is not for concurrent use.
type cache[V any] struct {
	lru   *simplelru.LRU[[32]byte, sized[V]]
	bytes int
	limit int
}

type sized[V any] struct {
	value V
	bytes int
}

func newCache[V any](limit int) *cache[V] {
	c := &cache[V]{limit: limit}
	c.lru, _ = simplelru.NewLRU(math.MaxInt32, func(_ [32]byte, e sized[V]) { c.bytes -= e.bytes }) // a size above 0 cannot fail
	return c
}

func (c *cache[V]) get(k [32]byte) (v V, ok bool) {
	e, ok := c.lru.Get(k)
	return e.value, ok
}

func (c *cache[V]) remove(k [32]byte) { c.lru.Remove(k) }

func (c *cache[V]) put(k [32]byte, v V, bytes int) {
	c.lru.Remove(k)
	c.lru.Add(k, sized[V]{v, bytes})
	for c.bytes += bytes; c.bytes > c.limit; {
		c.lru.RemoveOldest()
	}
}
