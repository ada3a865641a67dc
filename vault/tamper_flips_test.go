// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// TestTamperFlips flips bits of every byte of head and keyring: the vault is refused, or it is the same vault.
func TestTamperFlips(t *testing.T) {
	d := newVictim(t, 1)
	for _, key := range []string{"head", "keyring"} {
		r := d.row(key)
		refused := 0
		for i := range r.Data {
			for _, bit := range []byte{1 << (i % 8), 0x20} { // 0x20 turns lower case into upper case
				data := bytes.Clone(r.Data)
				data[i] ^= bit
				if !d.flip(t, key, i, data) {
					refused++
				}
			}
		}
		// What is left stands in the case of field names and in what base64 does not use of its last digit.
		if same := 2*len(r.Data) - refused; same > 100 {
			t.Errorf("%s: %d of %d flips are not seen", key, same, 2*len(r.Data))
		}
	}
}

// flip reports whether the vault still opens, and checks that it is then the same.
func (d *victim) flip(t *testing.T, key string, i int, data []byte) bool {
	t.Helper()
	ctx := context.Background()
	v, err := vault.Open(ctx, vault.Config{Store: d.with(key, d.row(key).Seq, data).store(t), Root: d.root})
	if err != nil {
		if !errors.Is(err, vault.ErrTampered) && !errors.Is(err, vault.ErrWrongKey) && !errors.Is(err, vault.ErrInvalid) {
			t.Errorf("%s, byte %d: %v", key, i, err)
		}
		return false
	}
	defer func() { _ = v.Close() }()
	if v.Log().Key() != d.key {
		t.Errorf("%s, byte %d: the log has another key", key, i)
	}
	wantValue(t, v.Operator("keeper"), d.secrets[0], d.value(d.secrets[0], versionsEach), versionsEach)
	wantRefused(t, v.Session(d.revoked, noAddr), d.secrets[0], vault.ErrDeadToken)
	verifies(t, v)
	return true
}

// TestTamperForeign puts in rows of another vault under the same root, and of one under another root.
func TestTamperForeign(t *testing.T) {
	d, same := newVictim(t, 2), newVictim(t, 2)
	for _, r := range same.rows {
		if i := d.index(r.Key); i >= 0 && !sameRow(d.rows[i], r) {
			d.mustFind(t, "another vault's "+r.Key, d.with(r.Key, r.Seq, r.Data))
		}
	}
	d.mustFind(t, "another vault's head and keyring", d.with("head", same.row("head").Seq, same.row("head").Data).with("keyring", 0, same.row("keyring").Data))
	err := d.attempt(t, "another root", d.dump, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.root = seededRoot(t, 2)
	if err := d.attempt(t, "another root", d.dump, nil); !errors.Is(err, vault.ErrWrongKey) || errors.Is(err, vault.ErrTampered) {
		t.Errorf("under another root: %v", err)
	}
}

// TestTamperExtra writes head and keyring in other ways: refused, or the same vault. Any byte more in another row is found.
func TestTamperExtra(t *testing.T) {
	d := newVictim(t, 1)
	for _, key := range []string{"head", "keyring"} {
		data := string(d.row(key).Data)
		for i, other := range []string{data[:len(data)-1] + `,"extra":1}`, `{"size":1,` + data[1:], data + "{}", data + "]", " " + data, data + "\n", ""} {
			d.flip(t, key, i, []byte(other))
		}
	}
	for _, r := range d.rows {
		if r.Key != "head" && r.Key != "keyring" {
			d.mustFind(t, r.Key, d.with(r.Key, r.Seq, append(bytes.Clone(r.Data), "{}"...)))
			d.mustFind(t, r.Key, d.with(r.Key, r.Seq, append(bytes.Clone(r.Data), ']')))
		}
	}
}

// TestTamperUnknownKind: a row that keyward never writes is found whatever its key.
func TestTamperUnknownKind(t *testing.T) {
	d := newVictim(t, 1)
	for _, key := range []string{"w:a", "y:a", "z", "~"} {
		d.mustFind(t, "add "+key, d.with(key, 3, []byte(`{}`)))
	}
}
