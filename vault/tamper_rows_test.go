// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

func TestTamperControl(t *testing.T) {
	d := newVictim(t, 10)
	if err := d.attempt(t, "as it is", d.dump, func(v *vault.Vault) { verifies(t, v) }); err != nil {
		t.Fatalf("an untouched vault: %v", err)
	}
	// A whole old copy is a rollback that only an anchor can show. If it were found here, the harness would find anything.
	if err := d.attempt(t, "whole old copy", d.history[versionsEach*10], nil); err != nil {
		t.Fatalf("a whole old copy: %v", err)
	}
}

func TestTamperSwapSealed(t *testing.T) {
	d := newVictim(t, 10)
	var sealed []string
	for _, r := range d.rows {
		if strings.HasPrefix(r.Key, "x:") {
			sealed = append(sealed, r.Key)
		}
	}
	if len(sealed) != 20 {
		t.Fatalf("%d sealed rows", len(sealed))
	}
	ctx := context.Background()
	for i, a := range sealed {
		for _, b := range sealed[i+1:] {
			changed := d.with(a, d.row(a).Seq, d.row(b).Data).with(b, d.row(b).Seq, d.row(a).Data)
			v, err := vault.Open(ctx, vault.Config{Store: changed.store(t), Root: d.root})
			if err != nil {
				t.Fatal(err)
			}
			op := v.Operator("keeper")
			for _, key := range []string{a, b} {
				path, n := splitVersion(t, key)
				f := audit.Filter{Op: "get", Path: path}
				if it, err := op.Get(ctx, vault.Request{Path: path, Version: n}); !errors.Is(err, vault.ErrTampered) || it.Value.Reveal() != "" {
					t.Errorf("%s ↔ %s: Get gave %q, %v", a, b, it.Value.Reveal(), err)
				}
				wantLast(t, v, f, audit.Failed, "tampered")
				err := op.Use(ctx, vault.Request{Path: path, Version: n}, func(vault.Item) error { t.Error("used"); return nil })
				if path != d.secrets[0] && !errors.Is(err, vault.ErrTampered) {
					t.Errorf("%s ↔ %s: Use gave %v", a, b, err)
				}
			}
			_ = v.Close()
		}
	}
}

func splitVersion(t *testing.T, key string) (path string, n int) {
	t.Helper()
	i := strings.LastIndexByte(key, ':')
	if _, err := fmt.Sscan(key[i+1:], &n); err != nil {
		t.Fatal(err)
	}
	return key[2:i], n
}

func TestTamperSwapDeciding(t *testing.T) {
	d := newVictim(t, 4)
	n := 0
	for i, a := range d.rows {
		for _, b := range d.rows[i+1:] {
			if a.Key[:2] != b.Key[:2] || a.Key[1] != ':' || a.Key[0] == 'x' {
				continue
			}
			n++
			if string(a.Data) != string(b.Data) {
				d.mustFind(t, a.Key+" ↔ "+b.Key, d.with(a.Key, a.Seq, b.Data).with(b.Key, b.Seq, a.Data))
			}
			d.mustFind(t, a.Key+" ↔ "+b.Key+" with Seq", d.with(a.Key, b.Seq, b.Data).with(b.Key, a.Seq, a.Data))
		}
	}
	if n < 30 {
		t.Fatalf("only %d pairs", n)
	}
}

func TestTamperDropDuplicateSeq(t *testing.T) {
	d := newVictim(t, 3)
	for _, r := range d.rows {
		switch {
		case r.Key == "head" || r.Key == "keyring":
			d.mustFind(t, "drop "+r.Key, d.with(r.Key, 0, nil))
			d.harmless(t, "Seq of "+r.Key, d.with(r.Key, r.Seq+1, r.Data))
		case strings.HasPrefix(r.Key, "x:"):
			d.mustFind(t, "drop "+r.Key, d.with(r.Key, 0, nil))
			d.mustFind(t, "empty "+r.Key, d.with(r.Key, r.Seq, []byte{}))
			d.mustFind(t, "cut "+r.Key, d.with(r.Key, r.Seq, r.Data[:len(r.Data)-1]))
			d.harmless(t, "Seq of "+r.Key, d.with(r.Key, r.Seq+1, r.Data))
		default:
			d.mustFind(t, "drop "+r.Key, d.with(r.Key, 0, nil))
			d.mustFind(t, "Seq+1 of "+r.Key, d.with(r.Key, r.Seq+1, r.Data))
			d.mustFind(t, "Seq-1 of "+r.Key, d.with(r.Key, r.Seq-1, r.Data))
			d.mustFind(t, "far Seq of "+r.Key, d.with(r.Key, 1<<40, r.Data))
			d.mustFind(t, "space in "+r.Key, d.with(r.Key, r.Seq, append([]byte(" "), r.Data...)))
			d.mustFind(t, "cut "+r.Key, d.with(r.Key, r.Seq, r.Data[:len(r.Data)-1]))
			d.mustFind(t, "twin of "+r.Key, d.with(twin(r.Key), r.Seq, r.Data))
		}
	}
	id := strings.Repeat("ab", 16)
	for _, key := range []string{
		"s:new/path", "v:new/path:1", "v:" + d.secrets[0] + ":3", "v:" + d.secrets[0] + ":01", "t:" + id, "k:" + id, "f:agent:a", "f:path:*", "a", "t:", "v:", "u:1", "h:1",
	} {
		for _, data := range []string{`{}`, `{"next":1}`, `{"expires":99999999999}`, `null`, `not JSON`} {
			d.mustFind(t, "add "+key+" "+data, d.with(key, 3, []byte(data)))
		}
	}
}

func twin(key string) string {
	if i := strings.LastIndexByte(key, ':'); key[0] == 'v' {
		return key[:i] + ":7"
	}
	last := key[len(key)-1]
	if last == '1' {
		return key[:len(key)-1] + "2"
	}
	return key[:len(key)-1] + "1"
}

// TestTamperOldRow puts back each older copy of each row: lower counts, no revocation, no freeze, a looser policy, an old head.
func TestTamperOldRow(t *testing.T) {
	d := newVictim(t, 3)
	tried := map[string]int{}
	for _, old := range d.history {
		for _, r := range old.rows {
			if i := d.index(r.Key); i < 0 || sameRow(d.rows[i], r) || r.Key[0] == 'x' {
				continue
			}
			tried[r.Key[:2]]++
			d.mustFind(t, "old "+r.Key, d.with(r.Key, r.Seq, r.Data))
			d.mustFind(t, "old data of "+r.Key, d.with(r.Key, d.row(r.Key).Seq, r.Data))
		}
		if old.index("head") >= 0 && !old.equal(d.dump) {
			rows := d.clone()
			rows.rows = old.rows
			d.mustFind(t, "all old rows under the new log", rows)
			lines := d.clone()
			lines.lines = old.lines
			if len(old.lines) < len(d.lines) {
				d.mustFind(t, "all new rows over the old log", lines)
			}
			mixed := old.clone()
			mixed.rows = slices.Clone(d.rows)
			mixed.rows[mixed.index("head")] = old.row("head")
			d.mustFind(t, "old head with new rows", mixed)
		}
	}
	for _, kind := range []string{"s:", "t:", "k:", "he"} {
		if tried[kind] == 0 {
			t.Errorf("no older copy of a row of kind %s", kind)
		}
	}
}

// TestTamperHead changes every field of the head, whose places are in the package comment.
func TestTamperHead(t *testing.T) {
	d := newVictim(t, 2)
	row := d.row("head")
	for _, field := range []struct {
		name     string
		from, to int
		want     error
	}{
		{"format", 0, 4, vault.ErrInvalid}, // one of a newer keyward, for all that this one can tell
		{"vault id", 4, 20, vault.ErrTampered},
		{"first", 20, 28, vault.ErrTampered},
		{"seconds", 28, 36, vault.ErrTampered},
		{"nanoseconds", 36, 40, vault.ErrTampered},
		{"generation", 40, 44, vault.ErrTampered},
		{"purged", 44, 52, vault.ErrTampered},
		{"reset", 52, 60, vault.ErrTampered},
		{"since", 60, 68, vault.ErrTampered},
		{"size", 68, 76, vault.ErrTampered},
		{"edge", 76, len(row.Data) - 32, vault.ErrTampered},
		{"MAC", len(row.Data) - 32, len(row.Data), vault.ErrTampered},
	} {
		larger := bytes.Clone(row.Data)
		larger[field.to-1]++
		d.mustFind(t, field.name+" larger", d.with("head", row.Seq, larger), field.want)
		huge := bytes.Clone(row.Data)
		huge[field.from] ^= 0xff
		d.mustFind(t, field.name+" huge", d.with("head", row.Seq, huge))
		zero := bytes.Clone(row.Data)
		clear(zero[field.from:field.to])
		if !bytes.Equal(zero, row.Data) {
			d.mustFind(t, field.name+" zero", d.with("head", row.Seq, zero))
		}
		cut := slices.Concat(row.Data[:field.from], row.Data[field.to:])
		d.mustFind(t, "no "+field.name, d.with("head", row.Seq, cut))
	}
}

// TestTamperFields changes every field of every row that is JSON.
func TestTamperFields(t *testing.T) {
	d := newVictim(t, 2)
	n := 0
	for _, r := range d.rows {
		if strings.HasPrefix(r.Key, "x:") || r.Key == "head" {
			continue
		}
		for _, c := range mutations(t, r.Data) {
			n++
			if r.Key == "keyring" && c.name == ".extra added" { // it is not looked at
				d.harmless(t, r.Key+c.name, d.with(r.Key, r.Seq, c.data))
				continue
			}
			d.mustFind(t, r.Key+c.name, d.with(r.Key, r.Seq, c.data))
		}
	}
	if n < 100 {
		t.Errorf("only %d changes", n)
	}
}

type mutation struct {
	name string
	data []byte
}

// mutations takes away each field of a JSON object, at any depth, and changes each value to another of its type.
func mutations(t *testing.T, data []byte) (out []mutation) {
	t.Helper()
	var whole map[string]any
	if err := json.Unmarshal(data, &whole); err != nil {
		t.Fatal(err)
	}
	add := func(name string) {
		b, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, mutation{name, b})
	}
	var walk func(name string, m map[string]any)
	walk = func(name string, m map[string]any) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			was := m[k]
			delete(m, k)
			add(name + "." + k + " missing")
			for how, other := range others(was) {
				m[k] = other
				add(name + "." + k + " " + how)
			}
			m[k] = was
			if inner, ok := was.(map[string]any); ok {
				walk(name+"."+k, inner)
			}
		}
		m["extra"] = 1
		add(name + ".extra added")
		delete(m, "extra")
	}
	walk("", whole)
	return out
}

func others(v any) map[string]any {
	switch v := v.(type) {
	case string:
		// The first character of base64, hex or text becomes another one of the same alphabet.
		first := "A"
		if strings.HasPrefix(v, "A") || strings.HasPrefix(v, "a") { // hex has both cases
			first = "B"
		}
		return map[string]any{"empty": "", "longer": v + "x", "other": first + v[min(1, len(v)):], "cut": v[:max(0, len(v)-1)]}
	case float64:
		return map[string]any{"larger": v + 1, "smaller": v - 1, "huge": 1e15}
	case bool:
		return map[string]any{"not": !v}
	case []any:
		return map[string]any{"empty": []any{}, "double": append(slices.Clone(v), v...)}
	case map[string]any:
		return map[string]any{"empty": map[string]any{}}
	}
	return nil
}
