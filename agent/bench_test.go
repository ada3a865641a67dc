// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"testing"
	"time"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

// What a tool call adds to the Get below it. The two take turns, so that a machine that is slow for a while is slow for
// both.
func BenchmarkToolCall(b *testing.B) {
	v := open(b)
	s := vaulttest.Session(b, v, "researcher", "secrets:read:production/search/*")
	a, err := agent.New(b.Context(), s, agent.WithRate(1e9, 1e9))
	if err != nil {
		b.Fatal(err)
	}
	get := tool(a, "get_secret")
	var bare, called time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		if _, err := s.Get(b.Context(), vault.Request{Path: search, Reason: "to search"}); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if answer, err := get.Call(b.Context(), `{"path":"production/search/key","reason":"to search"}`); err != nil || answer != canary {
			b.Fatal(answer, err)
		}
		bare, called = bare+middle.Sub(start), called+time.Since(middle)
	}
	b.ReportMetric(float64(bare.Nanoseconds())/float64(b.N), "ns/Get")
	b.ReportMetric(float64((called-bare).Nanoseconds())/float64(b.N), "ns-added/call")
}
