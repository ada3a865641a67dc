// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyward-go/keyward/audit"
)

// TestTree compares every size with tlog's own tree, and the text coding with the tree.
func TestTree(t *testing.T) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	var tree audit.Tree
	if tree.Head() != (audit.Head{Root: sha256.Sum256(nil)}) {
		t.Error("the empty tree has another head")
	}
	for n := range int64(300) {
		copied := tree
		text, err := tree.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if appended, err := tree.AppendText([]byte("x")); err != nil || string(appended) != "x"+string(text) {
			t.Fatalf("size %d: AppendText gives %s, %v", n, appended, err)
		}
		var read audit.Tree
		if err := read.UnmarshalText(text); err != nil || read != tree {
			t.Fatalf("size %d: text does not give the tree back: %v", n, err)
		}
		line := fmt.Appendf(nil, "line %d", n)
		hashes, err := tlog.StoredHashes(n, line, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		tree.Append(line)
		read.Append(line)
		want, err := tlog.TreeHash(n+1, reader)
		if err != nil {
			t.Fatal(err)
		}
		if tree.Head() != (audit.Head{Size: n + 1, Root: want}) || read != tree {
			t.Fatalf("size %d: another head than tlog's", n+1)
		}
		if copied.Head().Size != n {
			t.Fatal("a copy changed with its original")
		}
	}
}

func TestTreeText(t *testing.T) {
	var tree audit.Tree
	for range 13 {
		tree.Append([]byte("x"))
	}
	text, _ := tree.MarshalText()
	good := string(text)
	raw, _ := base64.RawStdEncoding.DecodeString(good)
	code := base64.RawStdEncoding.EncodeToString
	with := func(i int, b byte) []byte { c := append([]byte(nil), raw...); c[i] = b; return c }
	for why, bad := range map[string]string{
		"empty": "", "short": good[:8], "cut": good[:len(good)-1], "longer": good + "A", "padded": good + "=",
		"newline": good + "\n", "newline inside": good[:4] + "\n" + good[4:], "a hash less": code(raw[:len(raw)-32]),
		"a hash more": code(append(raw[:len(raw):len(raw)], make([]byte, 32)...)), "other size": code(with(7, 12)),
		"negative size": code(with(0, 0x80)), "huge size": code(with(0, 0x20)), "long": strings.Repeat("A", 1<<16),
		"unused bits": good[:len(good)-1] + string(good[len(good)-1]+1),
	} {
		u := tree
		if err := u.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", why)
		}
		if u != tree {
			t.Errorf("%s: the tree changed", why)
		}
	}
	var largest audit.Tree // must neither panic nor loop
	b := make([]byte, 8+32)
	b[0] = 0x10 // 2^60
	if err := largest.UnmarshalText([]byte(code(b))); err != nil {
		t.Fatal(err)
	}
	largest.Append(nil)
	largest.Head()
}
