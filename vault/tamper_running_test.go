// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

var noAddr netip.Addr

// TestTamperRunning writes to the store under a vault that is open, as another process with the file in its hands would.
func TestTamperRunning(t *testing.T) {
	policy := vault.Row{Key: "s:" + bedPath, Data: []byte(`{"policy":{},"next":2}`)}
	cases := map[string]func(d dump) vault.Batch{
		"a line alone": func(d dump) vault.Batch { return vault.Batch{} },
		"a row, no head": func(d dump) vault.Batch {
			return vault.Batch{Rows: []vault.Row{policy}}
		},
		"a row, old head": func(d dump) vault.Batch {
			return vault.Batch{Rows: []vault.Row{policy, d.row("head")}}
		},
		"a row, a head of the right size": func(d dump) vault.Batch {
			return vault.Batch{Rows: []vault.Row{policy, {Key: "head", Data: biggerHead(d)}}}
		},
		"a head that cannot be read": func(d dump) vault.Batch {
			return vault.Batch{Rows: []vault.Row{{Key: "head", Data: []byte(`{"format":1}`)}}}
		},
		"no head any more": func(d dump) vault.Batch {
			return vault.Batch{Rows: []vault.Row{policy, {Key: "head"}}}
		},
		"a row of a new kind": func(d dump) vault.Batch {
			return vault.Batch{Rows: []vault.Row{{Key: "q:x", Data: []byte(`{}`)}}}
		},
		"a token given back its uses": func(d dump) vault.Batch {
			for _, r := range d.rows {
				if strings.HasPrefix(r.Key, "t:") {
					r.Data = []byte(`{"uses":0,"expires":99999999999}`)
					return vault.Batch{Rows: []vault.Row{r, d.row("head")}}
				}
			}
			panic("no token row")
		},
		"a row that is not JSON": func(d dump) vault.Batch {
			return vault.Batch{Rows: []vault.Row{{Key: policy.Key, Data: []byte(`{`)}}}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			v, _ := b.open()
			op := v.Operator("keeper")
			mustPut(t, op, bedPath, "value")
			s := mustIssue(t, op, reader(5))
			wantValue(t, s, bedPath, "value", 1)
			d := dumpOf(t, b.store)
			batch := change(d)
			batch.First, batch.Lines = int64(len(d.lines)), [][]byte{[]byte(`{"seq":9}`)}
			for i := range batch.Rows {
				batch.Rows[i].Seq = batch.First
			}
			if err := b.store.Update(context.Background(), 0, func([]vault.Row) (vault.Batch, error) { return batch, nil }); err != nil {
				t.Fatal(err)
			}
			before := dumpOf(t, b.store)
			for range 3 {
				wantRefused(t, s, bedPath, vault.ErrTampered)
				wantRefused(t, op, bedPath, vault.ErrTampered)
			}
			if err := op.Revoke(context.Background(), linkOf(t, s), ""); !errors.Is(err, vault.ErrTampered) {
				t.Errorf("Revoke: %v", err)
			}
			wantRefused(t, s, bedPath, vault.ErrNotRecorded)
			if verify, records, export := logFinds(v, v.Log().Key()); !verify || !records || !export {
				t.Errorf("found by Verify %v, by Records %v, by an export %v", verify, records, export)
			}
			if !dumpOf(t, b.store).equal(before) {
				t.Error("the vault wrote to a store that was tampered with")
			}
			if err := v.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if _, err := vault.Open(context.Background(), vault.Config{Store: before.store(t), Root: b.root}); !errors.Is(err, vault.ErrTampered) && name != "a line alone" {
				t.Errorf("opening it anew: %v", err)
			}
		})
	}
}

// biggerHead is the head of a log with one more line, and a MAC that does not fit.
func biggerHead(d dump) []byte {
	head := bytes.Clone(d.row("head").Data)
	var tree audit.Tree
	mac := head[len(head)-32:]
	if err := tree.UnmarshalBinary(head[68 : len(head)-32]); err != nil {
		panic(err)
	}
	tree.Append([]byte("a line"))
	bigger, _ := tree.AppendBinary(bytes.Clone(head[:68]))
	return append(bigger, mac...)
}

// TestTamperRunningOldSeq changes a row in place, under the number of the line that wrote it: the running vault goes on with
// the row that it has, and the next opening finds it.
func TestTamperRunningOldSeq(t *testing.T) {
	b := newBed(t)
	v, p := b.open()
	op := v.Operator("keeper")
	mustPut(t, op, bedPath, "value")
	s := mustIssue(t, op, reader(1))
	wantValue(t, s, bedPath, "value", 1)
	d := dumpOf(t, b.store)
	for _, r := range d.rows {
		if strings.HasPrefix(r.Key, "t:") {
			d = d.with(r.Key, r.Seq, []byte(strings.Replace(string(r.Data), `"uses":1`, `"uses":0`, 1)))
		}
	}
	changed := d.store(t)
	p.Store = changed
	wantRefused(t, s, bedPath, vault.ErrDeadToken)
	if _, err := vault.Open(context.Background(), vault.Config{Store: dumpOf(t, changed).store(t), Root: b.root}); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("opening it anew: %v", err)
	}
}
