// SPDX-License-Identifier: Apache-2.0

package mcp

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/keyward-go/keyward/internal/front"
)

// A holder who narrows a token without end pushes out its own agents, and nobody else's; whose time is over is forgotten.
func TestKnown(t *testing.T) {
	k := newKnown()
	made := 0
	get := func(grant string, n int, ends time.Time) {
		t.Helper()
		w := who{grant: grant, Holder: front.Holder{From: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}}
		if _, err := k.get(w, func() (*served, error) { made++; return &served{ends: ends}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	later := time.Now().Add(time.Hour)
	get("mine", 1, later)
	for n := range 1000 {
		get("flood", n, later)
	}
	if get("mine", 1, later); made != 1001 {
		t.Error("a flood of one grant pushed out the agent of another")
	}
	if holders, _ := k.grants.Peek("flood"); holders.Len() != maxOfOne {
		t.Errorf("%d agents of one grant", holders.Len())
	}
	for n := range 2 * maxGrants {
		get(fmt.Sprint("grant ", n), 1, later)
	}
	if k.grants.Len() != maxGrants {
		t.Errorf("%d grants", k.grants.Len())
	}
	get("over", 1, time.Now())
	k.sweep(time.Now())
	if k.grants.Contains("over") || k.grants.Len() != maxGrants-1 {
		t.Error("whose time is over is still there")
	}
	k.forget(who{grant: "no such"})

	failed := errors.New("no")
	if _, err := k.get(who{grant: "new"}, func() (*served, error) { return nil, failed }); err != failed || k.grants.Contains("new") {
		t.Errorf("what was not made is kept: %v", err)
	}
}
