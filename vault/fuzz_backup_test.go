// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/internal/journal"
	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// FuzzBackup: whatever is read as a backup, with checksums that fit, is the vault of the seed or none. Lines are fuzzed
// without their checksums, and once with.
func FuzzBackup(f *testing.F) {
	a := attack(f)
	s := a.issue(vault.Grant{MaxUses: 1})
	must(f, attackGet(s, attackPath))
	a.newKey(vault.Key{Limits: vault.Grant{Scopes: scope.MustParse("secrets:*:*")}})
	must(f, a.op.Freeze(f.Context(), vault.Frozen{Kind: "user", Value: "u"}, ""))
	var b bytes.Buffer
	must(f, a.op.Backup(f.Context(), &b, ""))
	p := takeApart(f, b.Bytes())
	plain := unsealed(f, b.Bytes())
	f.Add(plain, true)
	f.Add(b.Bytes(), false)
	for _, key := range []string{"head", "keyring", "x:", "v:", "s:", "t:", "f:", "k:"} {
		q := takeApart(f, b.Bytes())
		if q.row(key) == nil {
			f.Fatalf("the seed has no row %s", key)
		}
		q.drop(key)
		f.Add(unsealed(f, q.text()), true)
	}
	f.Add(append(append(bytes.Clone(p.header), '\n'), p.end...), true)
	f.Add(bytes.Replace(plain, []byte(`"backup":1`), []byte(`"backup":2`), 1), true)
	f.Add(bytes.Replace(plain, []byte(`"mark":"`), []byte(`"mark":"AAAA`), 1), true)
	f.Fuzz(func(t *testing.T, text []byte, seal bool) {
		if seal {
			text = sealed(text)
		}
		store := memory.New()
		cfg := vault.Config{Store: unclosed{store}, Root: attackRoot(1), Now: a.clock.now}
		v, err := vault.Restore(context.Background(), cfg, bytes.NewReader(text), "")
		if err != nil {
			if rows := dumpOf(t, store).rows; len(rows) > 0 {
				if v, err := vault.Open(context.Background(), cfg); err == nil {
					_ = v.Close()
					t.Fatal("what did not restore opens")
				}
			}
			return
		}
		defer v.Close()
		if err := getting(v.Operator("o"), attackPath)(); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, at(v, s), attackPath, vault.ErrDeadToken)
		verifies(t, v)
	})
}

// unsealed are the lines of a backup without their checksums.
func unsealed(t testing.TB, text []byte) (out []byte) {
	var sum journal.Sum
	for line := range bytes.Lines(text) {
		body, next, ok := sum.Open(line)
		if !ok {
			t.Fatal("a line does not open")
		}
		out, sum = append(append(out, body...), '\n'), next
	}
	return out
}

func sealed(text []byte) (out []byte) {
	var sum journal.Sum
	for line := range bytes.Lines(text) {
		line, sum = sum.Seal(bytes.TrimSuffix(line, []byte("\n")))
		out = append(out, line...)
	}
	return out
}
