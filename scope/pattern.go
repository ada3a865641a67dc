// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"errors"
	"strings"
)

var errPatternStar = errors.New("pattern has a star in the wrong place: " +
	"a pattern is a path, or a path whose last segment is a star; " + pathRule)

// CheckPattern returns nil if pattern is a path, or a path whose last segment is a star, or the star alone. The star
// counts as a segment of one byte in the limits of CheckPath, so a pattern that could match no path is refused. The
// error names the rule and does not quote the pattern.
func CheckPattern(pattern string) error {
	return check(pattern, true)
}

// Match reports whether pattern matches path. If either is malformed the answer is false; where a match refuses
// something, as a freeze does, call CheckPattern when the pattern is set. Match does not allocate.
func Match(pattern, path string) bool {
	return check(pattern, true) == nil && check(path, false) == nil && compile(pattern).match(path)
}

// compiled is a checked pattern.
type compiled struct {
	prefix  string // without the star: "production/" or, of the star alone, ""; else the whole path
	subtree bool   // ended in a star
}

func compile(pattern string) compiled {
	prefix, subtree := strings.CutSuffix(pattern, "*")
	return compiled{prefix, subtree}
}

// match expects a checked path. A path does not end in a slash, so one that starts with "production/" has a further
// segment, and the slash in the prefix keeps production2 out.
func (c compiled) match(path string) bool {
	if c.subtree {
		return strings.HasPrefix(path, c.prefix)
	}
	return path == c.prefix
}
