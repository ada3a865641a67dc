// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"fmt"
	"testing"

	"github.com/keyward-go/keyward/scope"
)

// BenchmarkAllows measures the worst case: only the last scope matches, or none does.
func BenchmarkAllows(b *testing.B) {
	for _, n := range []int{1, 10, 64} {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("secrets:use:production/team-%02d/*", i))
		}
		s := scope.MustParse(names...)
		last := fmt.Sprintf("production/team-%02d/tavily-key", n-1)
		for _, c := range []struct {
			name   string
			action scope.Action
			path   string
			want   bool
		}{
			{"last", scope.Use, last, true}, {"action", scope.Read, last, false}, {"path", scope.Use, "staging/team-00/tavily-key", false},
		} {
			b.Run(fmt.Sprintf("scopes=%d/%s", n, c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if s.Allows(c.action, c.path) != c.want {
						b.Fatal("wrong answer")
					}
				}
			})
		}
	}
}

func BenchmarkCheckPath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if scope.CheckPath("production/team-00/tavily-key") != nil {
			b.Fatal("wrong answer")
		}
	}
}

// BenchmarkCovers compares 64 subtrees with all of them but one, of which it has a path.
func BenchmarkCovers(b *testing.B) {
	var trees, names []string
	for i := range 64 {
		trees = append(trees, fmt.Sprintf("secrets:*:t%02d/*", i))
		names = append(names, trees[i])
	}
	names[63] = "secrets:*:t63/x"
	s, of := scope.MustParse(names...), scope.MustParse(trees...)
	for b.Loop() {
		if missing, _ := s.Covers(of); missing != "secrets:read:t63/y" {
			b.Fatal(missing)
		}
	}
}
