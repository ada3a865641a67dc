// SPDX-License-Identifier: Apache-2.0

package front

import (
	"context"
	"math"
	"net/http"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// What a principal may ask, unless a Config says otherwise.
const (
	perSecond     = 100
	burst         = 200
	maxPrincipals = 4096
)

// limits bound what each principal asks: a grant with all that was narrowed from it, a key, or the network of a caller without
// either.
type limits struct {
	rate  rate.Limit
	burst int

	mu  sync.Mutex
	lru *simplelru.LRU[string, *rate.Limiter]
}

// newLimits returns limits of r requests a second and b at once; zero: 100 and 200.
func newLimits(r float64, b int) *limits {
	l := &limits{rate: perSecond, burst: burst}
	if r > 0 {
		l.rate = rate.Limit(r)
	}
	if b > 0 {
		l.burst = b
	}
	l.lru, _ = simplelru.NewLRU[string, *rate.Limiter](maxPrincipals, nil) // fails for a size below one
	return l
}

// take counts a request, or says why not.
func (l *limits) take(who string) *Refusal {
	l.mu.Lock()
	limiter, ok := l.lru.Get(who)
	if !ok {
		limiter = rate.NewLimiter(l.rate, l.burst)
		l.lru.Add(who, limiter)
	}
	l.mu.Unlock()
	res := limiter.Reserve()
	if wait := res.Delay(); wait > 0 {
		res.Cancel()
		seconds := max(1, int(math.Ceil(wait.Seconds())))
		return &Refusal{http.StatusTooManyRequests, "rate_limited", "too many requests: wait, then ask again", seconds}
	}
	return nil
}

// principal names who asks, and whether the vault proves the bearer; it is not asked whether that still lives.
func principal(ctx context.Context, c Caller) (who string, proven bool) {
	claims, err := c.Door().Claims(ctx)
	if err == nil && len(claims) > 0 {
		l, ok := claims.Grant()
		if !ok { // a key
			l = claims[0]
		}
		return l.ID, true
	}
	from, bits := c.Holder.From, 24
	if from.Is6() {
		bits = 64
	}
	network, err := from.Prefix(bits)
	if err != nil {
		return "", false
	}
	return network.String(), false
}
