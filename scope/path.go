// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"errors"
	"strings"
)

const (
	maxPath     = 512 // bytes
	maxSegments = 16
	maxSegment  = 64 // bytes
)

const (
	segmentRule = "a segment is 1 to 64 of A-Z a-z 0-9 . _ - and not only dots"
	pathRule    = "a path is 1 to 16 segments joined by /, at most 512 bytes; " + segmentRule
)

// Made once, so that refusing a path allocates nothing, and without the input.
var (
	errPathEmpty    = errors.New("path is empty: " + pathRule)
	errPathLong     = errors.New("path is too long: " + pathRule)
	errPathDeep     = errors.New("path has too many segments: " + pathRule)
	errSegmentEmpty = errors.New("path has an empty segment: " + pathRule)
	errSegmentLong  = errors.New("path has a segment that is too long: " + pathRule)
	errSegmentDots  = errors.New("path has a segment of only dots: " + pathRule)
	errSegmentByte  = errors.New("path has a character that is not allowed: " + pathRule)
)

// CheckPath returns nil if path is a path: 1 to 16 segments joined by slashes, each 1 to 64 bytes of [A-Za-z0-9._-] and
// not only dots, at most 512 bytes in all. The error names the rule and does not quote the path.
func CheckPath(path string) error {
	return check(path, false)
}

// JoinPath makes a path of single segments. Use it to build a path or a pattern from parts that come from elsewhere,
// such as a tenant's name: a part with a slash, star, colon, space or anything else that is not in a segment is refused,
// so no part can reach out of its place and no two lists of segments make the same path. For a pattern append "/*" to
// the result. Limits and errors are those of CheckPath.
func JoinPath(segments ...string) (string, error) {
	if len(segments) > maxSegments {
		return "", errPathDeep
	}
	for _, s := range segments {
		if err := checkSegment(s); err != nil {
			return "", err
		}
	}
	path := strings.Join(segments, "/")
	if err := CheckPath(path); err != nil {
		return "", err
	}
	return path, nil
}

// check walks a path, or a pattern if star is set. It does not allocate.
func check(s string, star bool) error {
	switch {
	case s == "":
		return errPathEmpty
	case len(s) > maxPath:
		return errPathLong
	}
	for n, more := 1, true; more; n++ {
		var segment string
		segment, s, more = strings.Cut(s, "/")
		if n > maxSegments {
			return errPathDeep
		}
		if star && segment == "*" && !more {
			return nil
		}
		if err := checkSegment(segment); err != nil {
			if star && strings.Contains(segment, "*") {
				return errPatternStar
			}
			return err
		}
	}
	return nil
}

// kinds tells a dot from the other bytes of a segment, and those from all else, which is 0.
var kinds = func() (kinds [256]byte) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		kinds[c] = aLetter
	}
	kinds['.'] = aDot
	return kinds
}()

const (
	aDot    = 1
	aLetter = 2
)

func checkSegment(s string) error {
	switch {
	case s == "":
		return errSegmentEmpty
	case len(s) > maxSegment:
		return errSegmentLong
	}
	var seen byte
	for i := range len(s) { // bytes, not runes: nothing above 0x7F is allowed, valid UTF-8 or not
		kind := kinds[s[i]]
		if kind == 0 {
			return errSegmentByte
		}
		seen |= kind
	}
	if seen == aDot {
		return errSegmentDots
	}
	return nil
}
