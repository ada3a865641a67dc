// SPDX-License-Identifier: Apache-2.0

package kms_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/v2/aead"
	"github.com/stretchr/testify/assert"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

// Whoever prints a root, or anything that holds one, sees its kind.
func TestRootsPrintRedacted(t *testing.T) {
	const canary = "canary-0123456789-abcdefghij-xyz" // passphrase and key of the wrapper
	w := aead.NewWrapper()
	if _, err := w.SetConfig(t.Context(), wrapping.WithKeyId("id"), aead.WithKey([]byte(canary))); err != nil {
		t.Fatal(err)
	}
	file := newKeyFile(t, filepath.Join(t.TempDir(), "root.key"))
	roots := []vault.RootKey{kms.KeyFile(file), kms.CheapPassphrase(vault.NewSecret(canary)), kms.Wrapper(w)}
	roots = append(roots, kms.Either(roots...))
	type holder struct {
		Root   vault.RootKey
		hidden vault.RootKey
	}
	for _, r := range roots {
		if _, err := r.EncryptWithContext(t.Context(), plaintext, data); err != nil { // nothing is kept by use either
			t.Fatal(err)
		}
		_, err := r.DecryptWithContext(t.Context(), []byte("F\x01"), data)
		for _, held := range []any{r, &r, holder{r, r}, &holder{r, r}, []vault.RootKey{r}, map[string]any{"root": r}, err} {
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%T", "%p"} {
				fmt.Fprintf(&out, verb+"\n", held)
			}
			_ = json.NewEncoder(&out).Encode(held)
			_ = xml.NewEncoder(&out).Encode(held)
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "root", held)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "root", held)
			assert.ObjectsAreEqual(held, held)
			out.WriteString(assertDiff(held))
			for _, form := range []string{
				canary, canary[:16], hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))),
				base64.StdEncoding.EncodeToString([]byte(canary)), strings.Trim(fmt.Sprint([]byte(canary)), "[]"), "0x63, 0x61, 0x6e", "kw_root_",
			} {
				if strings.Contains(out.String(), form) {
					t.Errorf("%T of %v shows %q:\n%s", held, r, form, out.String())
				}
			}
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %s", roots[0], roots[1], roots[2], roots[3]); got != "kms.KeyFile kms.Passphrase kms.Wrapper kms.Either" {
		t.Error(got)
	}
}

// assertDiff is what testify prints when two values differ: it walks unexported fields by reflection.
func assertDiff(v any) string {
	var r recorder
	assert.Equal(&r, v, struct{ other int }{1})
	return r.String()
}

type recorder struct{ bytes.Buffer }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(r, format, args...) }
