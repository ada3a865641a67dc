// SPDX-License-Identifier: Apache-2.0

package kms_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"google.golang.org/protobuf/proto"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

// replant changes the BlobInfo in a ciphertext of Wrapper as somebody would who knows the format but not the key.
func replant(t testing.TB, sealed []byte, change func(*wrapping.BlobInfo)) []byte {
	t.Helper()
	blob := new(wrapping.BlobInfo)
	body, mac := sealed[2:len(sealed)-64], sealed[len(sealed)-64:len(sealed)-32]
	if err := proto.Unmarshal(body, blob); err != nil {
		t.Fatal(err)
	}
	change(blob)
	raw, err := proto.Marshal(blob)
	if err != nil {
		t.Fatal(err)
	}
	return digested(append(append([]byte("W\x01"), raw...), mac...))
}

func digested(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// cheapSealed is "plaintext" under CheapPassphrase("correct horse battery staple").
const cheapSealed = "500100000001000000400162d500598a31a2aff8612de02ea02ce541e2d509e0fc346dd8b97dc52c567cc4f49dc4dcab" +
	"a516be34edb0ef0f18ec58472e89ab07c77c57d7b296bac9d26473978bd1ffbf189f9bba0f56f3b49af3ed4b01c6414d"

// FuzzDecode: no bytes open, or panic, but those that a root wrote. Keys and ciphertexts are those of the vectors, since
// each fuzzing process makes them anew. The digest of Wrapper and Either is put right, so that what stands behind it is reached.
func FuzzDecode(f *testing.F) {
	roots := map[string]vault.RootKey{}
	sealed := map[string][]byte{}
	for _, name := range []string{"keyfile", "wrapper", "either"} {
		v := readVector(f, "testdata/vectors/"+name+".txt")
		if root := vectorRoot(f, v); root != nil {
			roots[name], sealed[name] = root, unhex(f, v["ciphertext"])
		}
	}
	roots["passphrase"] = kms.CheapPassphrase(vault.NewSecret("correct horse battery staple"))
	sealed["passphrase"] = unhex(f, cheapSealed)
	for name, b := range sealed {
		if p, err := roots[name].DecryptWithContext(f.Context(), b, []byte("data")); err != nil || string(p) != "plaintext" {
			f.Fatalf("%s: seed: %v", name, err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte{})
	f.Add([]byte("W\x01"))
	f.Add(append([]byte("E\x01\x02\x00\x00\x00\x01F\x00\x00\x00\x05"), make([]byte, 100)...))
	f.Add(append([]byte("P\x01\x00\x00\x00\x03\x00\x01\x00\x00\x04"), make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, root := range roots {
			c := bytes.Clone(b)
			if len(c) > 34 && (c[0] == 'W' || c[0] == 'E') {
				c = digested(c[:len(c)-32])
			}
			if len(c) > 10 && c[0] == 'P' {
				c[6], c[7] = 0, 0 // memory: keep it quick
			}
			before := bytes.Clone(c)
			if p, err := root.DecryptWithContext(t.Context(), c, []byte("data")); err == nil && !bytes.Equal(c, sealed[name]) {
				t.Fatalf("%s opened %x: %q", name, c, p)
			}
			if !bytes.Equal(c, before) {
				t.Fatalf("%s wrote to its input", name)
			}
		}
		_, _, _, _ = kms.ParsePassHead(b)
	})
}

// FuzzKeyText: what is read as a key prints as it was read.
func FuzzKeyText(f *testing.F) {
	key := make([]byte, 32)
	rand.Read(key)
	f.Add(kms.FormatKey(key))
	f.Add(bytes.TrimSuffix(kms.FormatKey(key), []byte("\n")))
	f.Add([]byte("kw_root_\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := kms.ParseKey(text)
		if err != nil {
			return
		}
		if again := kms.FormatKey(key); !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), bytes.TrimSuffix(text, []byte("\n"))) {
			t.Fatalf("%q is read as %q", text, again)
		}
	})
}
