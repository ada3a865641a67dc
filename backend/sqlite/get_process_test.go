// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/keyward-go/keyward/backend/internal/childtest"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// childGet opens the vault and calls Get as busy does.
func childGet(s *sqlite.Store, path string) error {
	ctx := context.Background()
	v, err := vault.Open(ctx, vault.Config{Store: s, Root: kms.KeyFile(filepath.Join(filepath.Dir(path), "root.key"))})
	if err != nil {
		return err
	}
	session, err := v.Operator("bench").Issue(ctx, vault.Grant{
		Agent: "researcher", Scopes: scope.MustParse("secrets:read:production/search/*"), TTL: time.Hour,
	})
	if err != nil {
		return err
	}
	err = busy(func() error {
		_, err := session.Get(ctx, benchRequest)
		return err
	})
	return errors.Join(err, v.Close())
}

// BenchmarkProcesses lets one process with 8 callers and then two processes with 8 each use one vault, in turns of a second,
// and reports the medians: the slower of two over the faster, both together over one alone, and the longest wait.
func BenchmarkProcesses(b *testing.B) {
	var fair, together, longest []float64
	for range max(b.N, 5) {
		dir := b.TempDir()
		v, _ := benchVault(b, dir, 0)
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
		one := race(b, dir, 1)
		two := race(b, dir, 2)
		slices.SortFunc(two, func(x, y [2]float64) int { return int(x[0] - y[0]) })
		fair = append(fair, two[0][0]/two[1][0])
		together = append(together, (two[0][0]+two[1][0])/one[0][0])
		longest = append(longest, max(two[0][1], two[1][1])/1000)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(fair), "slower/faster")
	b.ReportMetric(median(together), "both/one")
	b.ReportMetric(median(longest), "longest-ms")
}

// race runs n children at once and returns the calls and the longest wait of each.
func race(b *testing.B, dir string, n int) (out [][2]float64) {
	var children []*childtest.Child
	for range n {
		c := childtest.Start(b, "get", filepath.Join(dir, "vault.db"))
		if s := c.Line(b); s != "ready" {
			b.Fatal(s)
		}
		children = append(children, c)
	}
	for _, c := range children {
		fmt.Fprintln(c.In, "go")
	}
	for _, c := range children {
		var r [2]float64
		if _, err := fmt.Sscan(c.Line(b), &r[0], &r[1]); err != nil {
			b.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}
