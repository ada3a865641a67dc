// SPDX-License-Identifier: Apache-2.0

package kms_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/v2/aead"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

// TestVectors opens ciphertexts of format 1 that outlive the code: one file a case, with its verdict.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/vectors/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	verdicts := map[string]error{"success": nil, "wrong key": vault.ErrWrongKey, "tampered": vault.ErrTampered}
	for _, file := range files {
		v := readVector(t, file)
		root := vectorRoot(t, v)
		if root == nil {
			continue
		}
		want, known := verdicts[v["expect"]]
		if !known {
			t.Fatalf("%s: verdict %q", file, v["expect"])
		}
		p, err := root.DecryptWithContext(t.Context(), unhex(t, v["ciphertext"]), []byte(v["associated data"]))
		if !errors.Is(err, want) || string(p) != v["plaintext"] {
			t.Errorf("%s: %q, %v; want %s", file, p, err, v["expect"])
		}
	}
}

// readVector reads lines "name: value"; "#" begins a comment, a value may go on in lines that begin with a space.
func readVector(t testing.TB, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v, last := map[string]string{}, ""
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\r\n", "\n")) {
		line = strings.TrimSuffix(line, "\n")
		switch name, value, ok := strings.Cut(line, ": "); {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, " "):
			v[last] += strings.TrimSpace(line)
		case ok:
			v[name], last = value, name
		default:
			t.Fatalf("%s: line %q", file, line)
		}
	}
	return v
}

func vectorRoot(t testing.TB, v map[string]string) vault.RootKey {
	t.Helper()
	switch v["root"] {
	case "key file":
		if runtime.GOOS == "windows" {
			return nil
		}
		path := filepath.Join(t.TempDir(), "root.key")
		if err := os.WriteFile(path, []byte(v["key"]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return kms.KeyFile(path)
	case "passphrase":
		return kms.Passphrase(vault.NewSecret(v["key"]))
	case "either":
		var roots []vault.RootKey
		for name := range strings.SplitSeq(v["roots"], ", ") {
			root := vectorRoot(t, map[string]string{"root": name, "key": v[name], "key id": v["key id"]})
			if root == nil {
				return nil
			}
			roots = append(roots, root)
		}
		return kms.Either(roots...)
	case "aead wrapper":
		w := aead.NewWrapper()
		if _, err := w.SetConfig(t.Context(), wrapping.WithKeyId(v["key id"]), aead.WithKey(unhex(t, v["key"]))); err != nil {
			t.Fatal(err)
		}
		return kms.Wrapper(w)
	}
	t.Fatalf("root %q", v["root"])
	return nil
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
