// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// Book is what the world outside knows of one vault: what was acknowledged, over all its lives. Check holds the vault
// against it.
type Book struct {
	Acknowledged int // calls that must have a record, so far
	Records      int64
	Rotating     int // Checks that found a rotation begun and not ended

	due         map[string]Ack // acknowledged, not yet seen in the log; by ID
	unknown     map[string]int // refusals of unknown callers, whose records have no ID, since the last Check; by operation and path
	links       map[string]*link
	values      map[string]string // that were put or seen, by path and version
	there       map[string]int    // paths, and their newest version if it is not deleted
	checkpoints [][]byte
	fresh       []Ack // since the last Check, for probes
	rotating    bool
}

type link struct {
	max, used int
	revoked   bool
}

// NewBook is the book of a new vault.
func NewBook() *Book {
	return &Book{due: map[string]Ack{}, unknown: map[string]int{}, links: map[string]*link{}, values: map[string]string{}, there: map[string]int{}}
}

// Add notes what a child has acknowledged. Two children that saw different values of one version are a Violation.
func (b *Book) Add(acks []Ack) error {
	for _, a := range acks {
		switch {
		case a.Op == OpCheckpoint && a.Outcome == Granted:
			b.checkpoints = append(b.checkpoints, []byte(a.Value))
			continue
		case a.Op == OpOpen, a.Op == OpClose, a.Op == OpCheckpoint:
			continue
		case a.Outcome != Granted && a.Value != "" && a.Op != "put":
			return Violationf("call %s answered a value and the error %q", a.ID, a.Text)
		case a.Outcome != NotRecorded && a.ID != "":
			b.Acknowledged++
			b.due[a.ID] = a
			b.fresh = append(b.fresh, a)
		}
		if a.Outcome != Granted || a.Value == "" {
			continue
		}
		key := fmt.Sprint(a.Path, " ", a.Version)
		if before, ok := b.values[key]; ok && before != a.Value {
			return Violationf("version %d of %s was %q and is %q", a.Version, a.Path, before, a.Value)
		}
		b.values[key] = a.Value
	}
	return nil
}

// Check compares the log and the state of the vault with the book: every acknowledged call has its record and says what it
// did; counts are exact; what is dead stays dead; the log verifies, against every former checkpoint too. Its error is a
// Violation, or says why nothing could be compared.
func (b *Book) Check(ctx context.Context, v *vault.Vault) error {
	for r, err := range v.Log().Records(ctx, audit.Filter{Since: b.Records}) {
		if err != nil {
			return Violationf("reading the log: %v", err)
		}
		if err := b.record(r); err != nil {
			return err
		}
		b.Records = r.Seq + 1
	}
	for id, a := range b.due {
		if at := a.Op + " " + a.Path; a.Outcome == Refused && b.unknown[at] > 0 {
			b.unknown[at]--
			delete(b.due, id)
			continue
		}
		if a.Value != "" && a.Op != "put" {
			return Violationf("a value left without a record: %s %s, call %s", a.Op, a.Path, a.ID)
		}
		return Violationf("acknowledged and lost: %s %s, call %s, %s", a.Op, a.Path, a.ID, cmp.Or(a.Outcome, "granted"))
	}
	clear(b.unknown)
	if err := v.Log().Verify(ctx, b.checkpoints...); err != nil {
		return Violationf("the log does not verify: %v", err)
	}
	if b.rotating {
		b.Rotating++
	}
	if err := b.probe(ctx, v); err != nil {
		return err
	}
	checkpoint, err := v.Log().Checkpoint(ctx)
	if err != nil {
		return Violationf("no checkpoint: %v", err)
	}
	b.checkpoints = [][]byte{checkpoint} // it was held against those before
	return nil
}

// record takes in one line of the log.
func (b *Book) record(r audit.Record) error {
	if r.Op == "issue" && r.Outcome == audit.Granted {
		var grant struct {
			Uses int `json:"uses"`
		}
		if err := json.Unmarshal([]byte(r.Detail), &grant); err != nil {
			return Violationf("record %d: detail: %v", r.Seq, err)
		}
		b.links[r.Target] = &link{max: grant.Uses}
	}
	if err := b.count(r); err != nil {
		return err
	}
	var step struct { // of a rotation
		Step        string
		Compromised bool
	}
	switch {
	case r.Cause == "bad_token":
		b.unknown[r.Op+" "+r.Path]++
	case r.Outcome != audit.Granted:
	case r.Op == "put":
		b.there[r.Path] = r.Version
	case r.Op == "delete", r.Op == "destroy" && r.Version == b.there[r.Path]: // all versions: Work.Delete
		delete(b.there, r.Path)
	case r.Op == "rotate":
		if err := json.Unmarshal([]byte(r.Detail), &step); err != nil {
			return Violationf("record %d: detail: %v", r.Seq, err)
		}
		if b.rotating = step.Step != "end"; step.Compromised {
			for _, l := range b.links {
				l.revoked = true
			}
		}
	}
	if l := b.links[r.Target]; l != nil && r.Op == "revoke" && r.Outcome == audit.Granted {
		l.revoked = true
	}
	for _, id := range []string{r.Call, r.Reason, r.Target} {
		a, ok := b.due[id]
		if !ok || a.Op != r.Op || step.Step != "" && step.Step != "end" { // a rotation has several records
			continue
		}
		delete(b.due, id)
		granted := r.Outcome == audit.Granted
		if granted != (a.Outcome == Granted) || granted && a.Version != 0 && a.Version != r.Version || r.Path != a.Path {
			return Violationf("call %s: the record %s does not say what was acknowledged: %+v", a.ID, r, a)
		}
	}
	return nil
}

// burns is the operations that count as a use.
var burns = map[string]bool{"get": true, "use": true, "put": true, "delete": true}

// count holds a record against the counts and revocations before it.
func (b *Book) count(r audit.Record) error {
	if r.Outcome != audit.Granted || r.Token == "" {
		return nil
	}
	chain := strings.Split(r.Token, ".")
	for i := range chain {
		id := strings.Join(chain[:i+1], ".")
		l := b.links[id]
		if l == nil {
			continue // narrowed offline
		}
		if l.revoked && r.Op != "revoke" {
			return Violationf("record %d: granted to %s, which was revoked", r.Seq, id)
		}
		if l.max == 0 || !burns[r.Op] {
			continue
		}
		if i >= len(r.Uses) {
			return Violationf("record %d: granted to %s, which is counted, without the number of the use", r.Seq, id)
		}
		if l.used++; r.Uses[i] != l.used || l.used > l.max {
			return Violationf("record %d: use %d of %s, want %d of at most %d", r.Seq, r.Uses[i], id, l.used, l.max)
		}
	}
	return nil
}

const probes = 3

// probe asks the vault itself for what was acknowledged since the last Check.
func (b *Book) probe(ctx context.Context, v *vault.Vault) error {
	puts, bearers, destroyed := 0, 0, 0
	op := v.Operator("probe")
	for i := len(b.fresh) - 1; i >= 0; i-- {
		a := b.fresh[i]
		switch {
		case a.Op == "put" && a.Outcome == Granted && puts < probes && a.Version == b.there[a.Path]:
			puts++
			it, err := op.Get(ctx, vault.Request{Path: a.Path, Version: a.Version})
			if err != nil || trim(it.Value) != a.Value {
				return Violationf("version %d of %s, which was acknowledged: %q, %v", a.Version, a.Path, trim(it.Value), err)
			}
		case a.Op == "issue" && a.Outcome == Granted && bearers < probes:
			bearers++
			if err := b.probeToken(ctx, v, a); err != nil {
				return err
			}
		case a.Op == "destroy" && a.Outcome == Granted && destroyed < probes:
			destroyed++
			if it, err := op.Get(ctx, vault.Request{Path: a.Path, Version: a.Version}); !errors.Is(err, vault.ErrNotFound) {
				return Violationf("version %d of %s, which was destroyed: %q, %v", a.Version, a.Path, trim(it.Value), err)
			}
		}
	}
	b.fresh = nil
	return nil
}

// probeToken presents a token again: dead if it was revoked or used up, alive if not.
func (b *Book) probeToken(ctx context.Context, v *vault.Vault, a Ack) error {
	l := b.links[a.Link]
	dead := l.revoked || l.max > 0 && l.used == l.max
	_, err := v.Session(vault.NewToken(a.Bearer), netip.Addr{}).List(ctx, vault.Request{Path: "*"})
	if dead != errors.Is(err, vault.ErrDeadToken) || !dead && err != nil {
		return Violationf("token %s (revoked %v, %d of %d uses) answers %v", a.Link, l.revoked, l.used, l.max, err)
	}
	return nil
}
