// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// TestCursorInTheWay: what lies where a cursor is written first is neither written to nor followed.
func TestCursorInTheWay(t *testing.T) {
	for name, lay := range map[string]func(old, new string) error{"symbolic link": os.Symlink, "hard link": os.Link} {
		dir := t.TempDir()
		precious, cursor := filepath.Join(dir, "root.key"), filepath.Join(dir, "cursor")
		if err := os.WriteFile(precious, []byte("precious"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := lay(precious, cursor+".new"); err != nil {
			t.Fatal(err)
		}
		if err := writeCursor(cursor, 42); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		kept, err1 := os.ReadFile(precious)
		n, err2 := readCursor(cursor)
		info, err3 := os.Lstat(cursor)
		if string(kept) != "precious" || n != 42 || err1 != nil || err2 != nil || err3 != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %q, %d, %v; %v %v %v", name, kept, n, info, err1, err2, err3)
		}
	}
}

// obeyed are texts that a terminal obeys: with ESC, the one-byte CSI, DEL, and marks of direction.
const obeyed = "a\x1b[2J \u009b2J \x7f \u202e\u2066 \u2028 é z"

// TestNothingToObey: what others wrote reaches the terminal as text, in tables and in JSON, and JSON says the same text.
func TestNothingToObey(t *testing.T) {
	s := newTerminal(t)
	s.play("$ keyward init")
	if _, text, code := s.run(false, obeyed, "keyward", "set", "a/b", "--reason", obeyed); code != 0 {
		t.Fatal(text)
	}
	s.run(false, "", "keyward", "token", "issue", "--agent", "a", "--scope", "secrets:use:*", "--description", obeyed)
	for _, args := range [][]string{
		{"versions", "a/b"}, {"versions", "a/b", "--json"}, {"token", "list", "--json"}, {"audit", "list"}, {"audit", "list", "--json"},
		{"audit", "list", "--by", "op", "--json"}, {"get", "a/b", "--json"}, {"audit", "export"}, {"audit", "prove", "1"},
	} {
		out, errOut, code := s.run(true, "", append([]string{"keyward"}, args...)...)
		if code != 0 {
			t.Errorf("%v: %d %s", args, code, errOut)
		}
		if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%v: %+q", args, out)
		}
	}
	out, _, _ := s.run(true, "", "keyward", "get", "a/b", "--json")
	var it struct{ Value, Reason string }
	if err := json.Unmarshal([]byte(out), &it); err != nil || it.Value != obeyed || it.Reason != obeyed {
		t.Errorf("%+q, %v", it, err)
	}
	if out, _, code := s.run(true, "", "keyward", "get", "a/b"); code != exitUsage || out != "" {
		t.Errorf("a value that a terminal obeys is printed on one: %d %q", code, out)
	}
}

// TestDoctorValues: a sealed value that was changed, or taken away, is found though the vault opens.
func TestDoctorValues(t *testing.T) {
	for name, harm := range map[string]string{
		"changed": `UPDATE rows SET data = CAST(substr(data, 1, 40) || x'00' || substr(data, 42) AS BLOB) WHERE key LIKE 'x:%'`,
		"gone":    `DELETE FROM rows WHERE key LIKE 'x:%'`,
	} {
		s := newTerminal(t)
		s.play(`
			$ keyward init
			$ keyward set a/b < $canary
			$ keyward doctor
			> ok +values
		`)
		db, err := sql.Open("sqlite", s.storeFile("vault.db"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(context.Background(), harm)
		if err1 := db.Close(); err != nil || err1 != nil {
			t.Fatal(err, err1)
		}
		if out, _, code := s.run(false, "", "keyward", "doctor"); code != exitTampered || !bytes.Contains([]byte(out), []byte("problem  values")) {
			t.Errorf("%s: ends with %d:\n%s", name, code, out)
		}
	}
}
