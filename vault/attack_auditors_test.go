// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// An auditor that masks what it is told, in place, changes nothing for the one beside it, for observers or for the next
// use. Without copies of their own the race detector, or the runtime, ends this test.
func TestAuditorThatChangesRecords(t *testing.T) {
	masks := &masker{}
	beside, later := &sink{}, &sink{}
	v, op := audited(t, []vault.Auditor{masks, beside}, []vault.Auditor{masks, later})
	if _, err := op.Put(t.Context(), vault.Item{Path: "a/b", Value: vault.NewSecret("v")}); err != nil {
		t.Fatal(err)
	}
	s, err := op.Issue(t.Context(), vault.Grant{Agent: "worker", Scopes: scope.MustParse("secrets:read:a/b"), MaxUses: 100, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			for range 25 {
				if _, err := s.Get(t.Context(), vault.Request{Path: "a/b", Metadata: map[string]string{"step": "one"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
	if _, err := s.Get(t.Context(), vault.Request{Path: "a/b"}); err == nil {
		t.Error("use 101 of 100")
	}
	var log []string
	for r, err := range v.Log().Records(t.Context(), audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, r.String())
	}
	if got := beside.seen(); !slices.Equal(got, log[len(log)-len(got):]) {
		t.Errorf("told %d records, not as they are in the log", len(got))
	}
}

// masker overwrites all that a record refers to.
type masker struct{}

func (*masker) Audit(_ context.Context, records []audit.Record) error {
	for i := range records {
		for k := range records[i].Metadata {
			records[i].Metadata[k] = "masked"
		}
		for k := range records[i].Uses {
			records[i].Uses[k] = 0
		}
		records[i] = audit.Record{}
	}
	return nil
}
