// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"sync/atomic"
	"time"
)

// tolerance is how far the wall clock may be behind the last record.
const tolerance = 2 * time.Minute

// clock gives the effective time: the latest of the wall clock, the start plus what has passed since on the monotonic
// clock, and the last record. So time never goes back in the log, and setting the clock back revives nothing.
type clock struct {
	now   func() time.Time
	start atomic.Pointer[start]
}

type start struct {
	at   time.Time
	wall time.Time // at, without the monotonic clock; zero if that is no year in which a log can begin
}

func newClock(now func() time.Time) *clock {
	if now == nil {
		now = time.Now
	}
	c := &clock{now: now}
	c.restart()
	return c
}

// restart forgets what the clock was before.
func (c *clock) restart() {
	s := start{at: c.now()}
	if u := s.at.Unix(); u > 0 && u <= yearLimit {
		s.wall = s.at.Round(0).UTC()
	}
	c.start.Store(&s)
}

// readTime is one reading, before it is held against the last record.
type readTime struct{ wall, steady time.Time }

func (c *clock) read() readTime {
	now, s := c.now(), c.start.Load()
	r := readTime{wall: now.Round(0).UTC()}
	r.steady = r.wall
	if since := now.Sub(s.at); !s.wall.IsZero() && s.at.Add(since).Equal(now) { // Sub ends at 292 years
		r.steady = s.wall.Add(since)
	}
	return r
}

// possible reports whether a record could hold the time.
func (r readTime) possible() bool {
	return r.wall.Unix() > 0 && r.wall.Unix() <= yearLimit && r.steady.Unix() <= yearLimit
}

// after is the effective time behind a record of the given time, and whether the wall clock is too far behind that.
func (r readTime) after(last time.Time) (now time.Time, behind bool) {
	if !r.possible() {
		return last, true
	}
	now = r.wall
	if r.steady.After(now) {
		now = r.steady
	}
	if last.After(now) {
		now = last
	}
	return now, r.wall.Before(last.Add(-tolerance))
}
