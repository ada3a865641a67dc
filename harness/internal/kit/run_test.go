// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// With -bug the verdict is the other way round, but only for a violation that is the bug's; an error that is no violation is
// good for nothing.
func TestVerdict(t *testing.T) {
	h := Harness{Bug: "the store forgets", BugSays: regexp.MustCompile("lost|gone")}
	for _, c := range []struct {
		bug  bool
		err  error
		good bool
		says string
	}{
		{false, nil, true, "ok"},
		{false, Violationf("a record is lost"), false, "VIOLATION: a record is lost"},
		{false, errors.New("e"), false, "THE HARNESS FAILED: e"},
		{true, nil, false, "THE SEEDED BUG WAS NOT FOUND: the store forgets"},
		{true, Violationf("a record is lost"), true, "the seeded bug was found: a record is lost"},
		{true, fmt.Errorf("round 3: %w", Violationf("it is gone")), true, "the seeded bug was found: round 3: it is gone"},
		{true, errors.Join(Violationf("late"), Violationf("lost")), true, "the seeded bug was found: late; lost"},
		{true, Violationf("it does not open"), false, "THE SEEDED BUG WAS NOT FOUND, BUT SOMETHING ELSE: it does not open"},
		{true, errors.New("a record is lost"), false, "THE HARNESS FAILED: a record is lost"},
	} {
		text, good := (&Run{Harness: h, Bug: c.bug}).verdict(c.err)
		if good != c.good || !strings.HasPrefix(text, c.says) {
			t.Errorf("bug %v, error %v: %q, %v", c.bug, c.err, text, good)
		}
	}
}

// What never happened shows nothing.
func TestCount(t *testing.T) {
	for n, want := range map[int64]bool{0: false, 1: true} {
		r := &Run{}
		r.Figure("lost", 0)
		r.Count("cases", n)
		if text, good := r.verdict(nil); good != want {
			t.Errorf("%d cases: %q", n, text)
		}
	}
}
