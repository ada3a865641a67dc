// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/signature"

	"github.com/keyward-go/keyward/vault"
)

func nextOf(t testing.TB, b []byte, what string, now time.Time, retires int64) ([]byte, vault.KeyringShown) {
	t.Helper()
	out, err := vault.NextKeyring(b, what, now, retires)
	if err != nil {
		t.Fatal(err)
	}
	return out, showKeyring(t, out)
}

func showKeyring(t testing.TB, b []byte) vault.KeyringShown {
	t.Helper()
	s, err := vault.ShowKeyring(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestNextKeyring: what the next keyring keeps and drops. State key and signer stay: NextKeyring checks that.
func TestNextKeyring(t *testing.T) {
	start := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	month := 30 * 24 * time.Hour
	plain := vault.NewKeyringPlaintext()
	one := showKeyring(t, plain)
	rotated, two := nextOf(t, plain, "wt", start, start.Unix())
	if two.Generation != 2 || two.Wraps[0] == one.Wraps[0] || two.Tokens[0] == one.Tokens[0] {
		t.Fatalf("a rotation kept a key in use: %+v, then %+v", one, two)
	}
	both := func(s vault.KeyringShown) string { return fmt.Sprint(len(s.Wraps), len(s.Tokens), len(s.Retired)) }
	for _, c := range []struct {
		why, what string
		after     time.Duration
		want      string // AEAD keys, token keys, retired
	}{
		{"a new root changes no key", "", 0, "2 2 1"},
		{"the end of a rotation drops the former AEAD key alone", "W", 0, "1 2 1"},
		{"a former token key stays as long as any token lives", "W", month, "1 2 1"},
		{"and goes a second later", "W", month + time.Second, "1 1 0"},
		{"compromised: former token keys go, AEAD keys still open", "wtT", 0, "3 1 0"},
		{"a second rotation keeps every key that is still of use", "wt", 0, "3 3 2"},
		{"a restore replaces the token key alone", "tT", 0, "2 1 0"},
	} {
		_, s := nextOf(t, rotated, c.what, start.Add(c.after), start.Unix()+1)
		if both(s) != c.want || s.Generation != 3 {
			t.Errorf("%s: got %s of generation %d, want %s of 3", c.why, both(s), s.Generation, c.want)
		}
		if strings.Contains(c.what, "t") == (s.Tokens[0] == two.Tokens[0]) || strings.Contains(c.what, "w") == (s.Wraps[0] == two.Wraps[0]) {
			t.Errorf("%s: the keys in use are the wrong ones", c.why)
		}
	}
	if !reflect.DeepEqual(two.Retired, map[uint32]int64{one.Tokens[0]: start.Unix()}) {
		t.Errorf("retired: %v", two.Retired)
	}
}

// TestNextKeyringBound: a keyring does not grow without end.
func TestNextKeyringBound(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for what, hint := range map[string]string{"w": "Compromised", "t": "Compromised"} {
		b, err, n := vault.NewKeyringPlaintext(), error(nil), 0
		for ; err == nil && n < 1000; n++ {
			var next []byte
			if next, err = vault.NextKeyring(b, what, now, now.Unix()); err == nil {
				b = next
			}
		}
		if !errors.Is(err, vault.ErrConflict) || !strings.Contains(err.Error(), hint) || len(b) > 32<<10 {
			t.Errorf("%q: %d keys in %d bytes, then %v", what, n, len(b), err)
		}
		if _, err := vault.NextKeyring(b, "WT", now, 0); err != nil {
			t.Errorf("%q: no way out: %v", what, err)
		}
	}
}

// TestFollowsKeyring: what never changes has not changed, and the generation goes up.
func TestFollowsKeyring(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	old := vault.NewKeyringPlaintext()
	next, _ := nextOf(t, old, "wt", now, now.Unix())
	for why, bad := range map[string][2][]byte{
		"itself": {old, old}, "backwards": {next, old}, "another vault's": {old, vault.NewKeyringPlaintext()},
		"another state key": {old, vault.SwapKeyset(next[:len(next)-16], 2, prf.HMACSHA256PRFKeyTemplate())},
		"another signer":    {old, vault.SwapKeyset(next[:len(next)-16], 3, signature.ED25519KeyWithoutPrefixTemplate())},
	} {
		if why == "another state key" || why == "another signer" {
			bad[1] = append(bad[1], next[len(next)-16:]...)
		}
		if err := vault.FollowsKeyring(bad[0], bad[1]); !errors.Is(err, vault.ErrTampered) || strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// TestRetiredList: the list behind the keysets names exactly the former token keys, in order.
func TestRetiredList(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	two, _ := nextOf(t, vault.NewKeyringPlaintext(), "wt", now, now.Unix())
	b, s := nextOf(t, two, "wt", now, now.Unix())
	const item = 12
	body, list := b[:len(b)-4-2*item], slices.Clone(b[len(b)-2*item:])
	with := func(change func(l []byte) []byte) []byte {
		l := change(slices.Clone(list))
		return append(binary.BigEndian.AppendUint32(slices.Clone(body), uint32(len(l))), l...)
	}
	if !bytes.Equal(with(func(l []byte) []byte { return l }), b) {
		t.Fatal("the test does not know the layout")
	}
	for why, bad := range map[string][]byte{
		"no list":       body,
		"an empty list": with(func([]byte) []byte { return nil }),
		"one missing":   with(func(l []byte) []byte { return l[item:] }),
		"one more":      with(func(l []byte) []byte { return append(l, l[:item]...) }),
		"out of order":  with(func(l []byte) []byte { return append(slices.Clone(l[item:]), l[:item]...) }),
		"one twice":     with(func(l []byte) []byte { return append(slices.Clone(l[:item]), l[:item]...) }),
		"unknown key":   with(func(l []byte) []byte { l[3] ^= 1; return l }),
		"the key in use": with(func(l []byte) []byte {
			own := map[uint32]bool{s.Tokens[0]: true, binary.BigEndian.Uint32(l): true}
			var out []byte
			for _, id := range slices.Sorted(maps.Keys(own)) {
				out = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(out, id), 5)
			}
			return out
		}),
		"no time":       with(func(l []byte) []byte { clear(l[4:item]); return l }),
		"past the year": with(func(l []byte) []byte { l[4] = 0xff; return l }),
		"bytes behind":  append(slices.Clone(b), 0),
		"a second list": append(slices.Clone(b), b[len(b)-4-2*item:]...),
	} {
		if err := vault.ReadKeyring(bad); !errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: got %v", why, err)
		}
	}
	if err := vault.ReadKeyring(append(vault.NewKeyringPlaintext(), b[len(b)-4-2*item:]...)); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("a list without former keys: %v", err)
	}
}

// TestKeyringVectors reads plaintexts of keyrings that an earlier keyward made: the keys in them are of no vault. With
// KEYWARD_WRITE_VECTORS set it writes them.
func TestKeyringVectors(t *testing.T) {
	if os.Getenv("KEYWARD_WRITE_VECTORS") != "" {
		now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
		created := vault.NewKeyringPlaintext()
		rotating, _ := nextOf(t, created, "wt", now, now.Unix())
		rotated, _ := nextOf(t, rotating, "W", now, 0)
		for name, b := range map[string][]byte{"keyring-created": created, "keyring-rotating": rotating, "keyring-rotated": rotated} {
			text := fmt.Sprintf("kind: keyring\nexpect: ok\nwhy: written by version 1\nshows: %+v\nplaintext: %x\n", showKeyring(t, b), b)
			if err := os.WriteFile(filepath.Join(attackVectors, name+".txt"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(attackVectors, "keyring-*.txt"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]string{}
		for line := range strings.Lines(string(data)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			fields[name] = value
		}
		b, err := hex.DecodeString(fields["plaintext"])
		if err != nil {
			t.Fatal(err)
		}
		s, err := vault.ShowKeyring(b)
		if shown := fmt.Sprintf("%+v", s); err != nil || shown != fields["shows"] {
			t.Errorf("%s: %v, %s", filepath.Base(file), err, shown)
		}
		if again, err := vault.SameKeyring(b); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: written otherwise: %v", filepath.Base(file), err)
		}
	}
}
