// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyward-go/keyward/audit"
)

// Refusals above these numbers a second return at once and are counted; one record a second carries the counts. So strangers
// cannot fill the disk, and records plus counts equal attempts.
const (
	perToken     = 20  // one token, narrowings included
	perStrangers = 100 // all callers without a valid credential
	maxTokens    = 10000
	maxCounts    = 64
	theRest      = "rest"
)

// refusals counts what is not recorded one by one. Its zero value is ready.
type refusals struct {
	mu        sync.Mutex
	second    int64
	strangers int
	tokens    map[string]int
	counts    map[string]int // by cause and token, or cause and network
	timer     *time.Timer
	stopped   bool

	flushing sync.Mutex // held by the one flush that runs
	pending  []pending  // the flush's own
}

// over reports whether a refused call is above the limit, and counts it then. An operator in this process never is.
func (r *refusals) over(c *call, now readTime) bool {
	who := c.who
	if who.operator != "" && who.key == "" {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := now.wall.Unix(); s != r.second || r.tokens == nil {
		r.second, r.strangers, r.tokens = s, 0, map[string]int{}
	}
	name := ""
	if len(who.claims) == 0 {
		if r.strangers++; r.strangers <= perStrangers {
			return false
		}
		name = neighbours(who.from)
	} else {
		name = who.claims[min(who.claims.first(), len(who.claims)-1)].ID
		n, known := r.tokens[name]
		if known || len(r.tokens) < maxTokens {
			r.tokens[name] = n + 1
			if n < perToken {
				return false
			}
		}
	}
	if r.stopped {
		return false
	}
	r.count(c.refused.cause+" "+name, 1)
	if r.timer == nil {
		v := c.by.core()
		r.timer = time.AfterFunc(time.Second, func() { r.tick(v) })
	}
	return true
}

func (r *refusals) count(what string, n int) {
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	if _, known := r.counts[what]; !known && len(r.counts) >= maxCounts-1 {
		what = theRest
	}
	r.counts[what] += n
}

// neighbours is the network by which strangers are counted.
func neighbours(a netip.Addr) string {
	bits := 24
	switch {
	case !a.IsValid():
		return "local"
	case a.Is6():
		bits = 64
	}
	p, _ := a.Prefix(bits) // the length fits the address
	return p.String()
}

// tick is a flush in the background. A vault that is closing flushes itself.
func (r *refusals) tick(v *core) {
	if v.enter() == nil {
		defer v.leave()
		_ = r.flush(v) // what failed is counted on, and tried again in a second
	}
}

// flush records the counts. What was certainly not recorded is counted on; of what may have been, the next flush finds out.
func (r *refusals) flush(v *core) error {
	r.flushing.Lock()
	defer r.flushing.Unlock()
	r.settle(v)
	r.mu.Lock()
	counts := r.counts
	r.counts, r.timer = nil, nil
	r.mu.Unlock()
	if len(r.pending) > 0 {
		r.again(v, nil)
	}
	if len(counts) == 0 {
		return nil
	}
	c := &call{op: opDenials, verbatim: true}
	c.record = audit.Record{Op: opDenials.name, Outcome: audit.Denied}
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		c.record.Count += counts[what]
		lines = append(lines, fmt.Sprintf("%s: %d", what, counts[what]))
	}
	c.record.Detail = strings.Join(lines, "; ")
	c.writeRecord()
	err := v.commit(context.Background(), c)
	switch {
	case err == nil || c.stands:
		return err
	case c.unsure:
		r.pending = append(r.pending, pending{c.record.Seq, append(c.record.AppendOpening(nil), c.tail...), counts})
		r.again(v, nil)
	default:
		r.again(v, counts)
	}
	return err
}

// pending is counts whose record may stand in the log.
type pending struct {
	seq    int64
	line   []byte
	counts map[string]int
}

// settle looks whether pending records stand.
func (r *refusals) settle(v *core) {
	if len(r.pending) == 0 || v.update(context.Background(), v.newBatch()) != nil {
		return
	}
	r.pending = slices.DeleteFunc(r.pending, func(p pending) bool {
		lines, err := readLines(context.Background(), v.store, p.seq, 1)
		if err == nil && (len(lines) != 1 || string(lines[0]) != string(p.line)) {
			r.again(v, p.counts)
		}
		return err == nil
	})
}

// again counts on, and sees to it that it is flushed.
func (r *refusals) again(v *core, counts map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for what, n := range counts {
		r.count(what, n)
	}
	if r.timer == nil && !r.stopped {
		r.timer = time.AfterFunc(time.Second, func() { r.tick(v) })
	}
}

// stop records what is left when the vault closes.
func (r *refusals) stop(v *core) error {
	r.mu.Lock()
	r.stopped = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	return r.flush(v)
}
