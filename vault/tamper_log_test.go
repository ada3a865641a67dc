// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

type logEdit struct {
	name  string
	lines [][]byte
}

func logEdits(lines [][]byte) (out []logEdit) {
	add := func(name string, i int, f func([][]byte) [][]byte) {
		out = append(out, logEdit{fmt.Sprintf("%s %d", name, i), f(slices.Clone(lines))})
	}
	for i, line := range lines {
		for name, edited := range map[string][]byte{
			"outcome":  bytes.Replace(line, []byte(`"granted"`), []byte(`"denied"`), 1),
			"operator": bytes.Replace(line, []byte(`keeper`), []byte(`nobody`), 1),
			"space":    append(bytes.Clone(line), ' '),
			"cut":      line[:len(line)-1],
			"garbage":  []byte("{}"),
		} {
			if !bytes.Equal(edited, line) {
				add(name, i, func(l [][]byte) [][]byte { l[i] = edited; return l })
			}
		}
		add("drop", i, func(l [][]byte) [][]byte { return slices.Delete(l, i, i+1) })
		add("drop and repeat", i, func(l [][]byte) [][]byte { return append(slices.Delete(l, i, i+1), l[len(l)-1]) })
		add("insert", i, func(l [][]byte) [][]byte { return slices.Insert(l, i, line)[:len(l)] })
		add("cut before", i, func(l [][]byte) [][]byte { return l[:i] })
		if i > 0 {
			add("swap", i, func(l [][]byte) [][]byte { l[i], l[i-1] = l[i-1], l[i]; return l })
		}
	}
	return slices.DeleteFunc(out, func(e logEdit) bool { return slices.EqualFunc(e.lines, lines, bytes.Equal) })
}

func TestTamperLog(t *testing.T) {
	d := newVictim(t, 2)
	edits := logEdits(d.lines)
	if len(edits) < 100 {
		t.Fatalf("only %d edits", len(edits))
	}
	for _, e := range edits {
		changed := d.clone()
		changed.lines = e.lines
		d.logMustFind(t, e.name, changed)
	}
	// The control: nothing changed, nothing found.
	v, err := vault.Open(context.Background(), vault.Config{Store: d.store(t), Root: d.root})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	if a, b, c := logFinds(v, d.key); a || b || c {
		t.Errorf("an untouched log: verify %v, records %v, export %v", a, b, c)
	}
}

// logMustFind fails the test unless Open refuses, or Verify, Records and an export all show that the log was changed.
func (d *victim) logMustFind(t *testing.T, name string, changed dump) {
	t.Helper()
	v, err := vault.Open(context.Background(), vault.Config{Store: changed.store(t), Root: d.root})
	if errors.Is(err, vault.ErrTampered) {
		return
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer func() { _ = v.Close() }()
	if verify, records, export := logFinds(v, d.key); !verify || !records || !export {
		t.Errorf("%s: found by Verify %v, by Records %v, by an export %v", name, verify, records, export)
	}
}

// TestTamperLogAppended: a record that nobody made stands behind the true ones, for whoever reads the table with sqlite3.
func TestTamperLogAppended(t *testing.T) {
	d := newVictim(t, 1)
	forged := bytes.Replace(d.lines[len(d.lines)-1], fmt.Appendf(nil, `{"seq":%d,`, len(d.lines)-1), fmt.Appendf(nil, `{"seq":%d,`, len(d.lines)), 1)
	if _, err := audit.ParseRecord(forged); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 2, 5} {
		changed := d.clone()
		for range n {
			changed.lines = append(changed.lines, forged)
		}
		d.mustFind(t, fmt.Sprintf("%d lines more, at the first Get", n), changed)
		d.logMustFindAppended(t, changed)
	}
}

func (d *victim) logMustFindAppended(t *testing.T, changed dump) {
	t.Helper()
	v, err := vault.Open(context.Background(), vault.Config{Store: changed.store(t), Root: d.root})
	if err != nil {
		return
	}
	defer func() { _ = v.Close() }()
	verify, records, _ := logFinds(v, d.key) // an export holds what the checkpoint covers, and so not the forged lines
	if !verify || !records {
		t.Errorf("%d forged lines behind the head: found by Verify %v, by Records %v", len(changed.lines)-len(d.lines), verify, records)
	}
}

// TestTamperExport edits the text of an export.
func TestTamperExport(t *testing.T) {
	d := newVictim(t, 1)
	v, err := vault.Open(context.Background(), vault.Config{Store: d.store(t), Root: d.root})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	text, err := exportOf(v)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := audit.Verify(strings.NewReader(text), d.key); err != nil || h.Size != int64(len(d.lines)) {
		t.Fatalf("the export as it is: %+v, %v", h, err)
	}
	for i := range text {
		changed := []byte(text)
		changed[i] ^= 1 << (i % 7)
		if _, err := audit.Verify(bytes.NewReader(changed), d.key); err == nil {
			t.Errorf("byte %d (%q) can be changed", i, text[i])
		}
	}
}
