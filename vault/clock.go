// SPDX-License-Identifier: Apache-2.0

package vault

import "time"

// tolerance is how far the wall clock may be behind the last record.
const tolerance = 2 * time.Minute

// clock gives the effective time: the latest of the wall clock, the start plus what has passed since on the monotonic
// clock, and the last record. So time never goes back in the log, and setting the clock back revives nothing.
type clock struct {
	now   func() time.Time
	start time.Time
	began time.Time // the wall clock at start; zero if that is no year in which a log can begin
}

func newClock(now func() time.Time) clock {
	if now == nil {
		now = time.Now
	}
	c := clock{now: now, start: now()}
	if s := c.start.Unix(); s > 0 && s <= yearLimit { // Sub of times that far apart is cut off
		c.began = c.start.Round(0).UTC()
	}
	return c
}

// readTime is one reading, before it is held against the last record.
type readTime struct{ wall, steady time.Time }

func (c clock) read() readTime {
	now := c.now()
	r := readTime{wall: now.Round(0).UTC()}
	r.steady = r.wall
	if !c.began.IsZero() {
		r.steady = c.began.Add(now.Sub(c.start))
	}
	return r
}

// after is the effective time behind a record of the given time, and whether the wall clock is too far behind that.
func (r readTime) after(last time.Time) (now time.Time, behind bool) {
	if r.wall.Unix() <= 0 || r.wall.Unix() > yearLimit || r.steady.Unix() > yearLimit {
		return last, true // no time that a record could hold
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
