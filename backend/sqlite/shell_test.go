// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package sqlite_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// views is what a person asks, and the answer.
var views = []struct{ query, want string }{
	{"SELECT seq, outcome, op, agent, path, version, reason FROM audit", "0|granted|get|researcher|production/a|2|look it up"},
	{"SELECT path, next, policy FROM secrets", `production/a|3|{"tier":"standard"}`},
	{"SELECT path, version, reason, fingerprint, gone FROM versions ORDER BY version", "production/a|2|why|ab|\nproduction/a|10|||1"},
	{"SELECT token, uses, revoked, expires FROM tokens", "00ff.01|3|1|2027-01-15 08:00:00"},
	{"SELECT id, name FROM keys", "key:k1|ci"},
	{"SELECT kind, value, reason FROM freezes", "user|u812|left"},
}

// The views show the stored JSON through database/sql and in the sqlite3 shell, beside the open store.
func TestViews(t *testing.T) {
	s, path := openNew(t)
	rows := []vault.Row{
		{Key: "head", Data: []byte(`{"size":1}`)},
		{Key: "s:production/a", Data: []byte(`{"next":3,"policy":{"tier":"standard"}}`)},
		{Key: "v:production/a:2", Data: []byte(`{"created":"2026-11-24T00:00:00Z","reason":"why","fingerprint":"ab"}`)},
		{Key: "v:production/a:10", Data: []byte(`{"gone":true}`)},
		{Key: "x:production/a:2", Data: []byte{0, 0xff, 1}},
		{Key: "t:00ff.01", Data: []byte(`{"uses":3,"revoked":true,"expires":1800000000}`)},
		{Key: "k:k1", Data: []byte(`{"name":"ci"}`)},
		{Key: "f:user:u812", Data: []byte(`{"reason":"left"}`)},
	}
	line := `{"seq":0,"time":"2026-11-24T00:00:00.000000000Z","outcome":"granted","op":"get","agent":"researcher",` +
		`"path":"production/a","version":2,"reason":"look it up"}`
	err := s.Update(t.Context(), 0, func([]vault.Row) (vault.Batch, error) {
		return vault.Batch{Lines: [][]byte{[]byte(line)}, Rows: rows}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("database/sql", func(t *testing.T) {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, v := range views {
			if got := query(t, db, v.query); got != v.want {
				t.Errorf("%s:\n%s\nwant\n%s", v.query, got, v.want)
			}
		}
	})
	t.Run("shell", func(t *testing.T) {
		shell, err := exec.LookPath("sqlite3")
		if err != nil {
			t.Skip("there is no sqlite3 here")
		}
		if out, err := exec.Command(shell, ":memory:", "SELECT '1' ->> '$'").CombinedOutput(); err != nil {
			t.Skipf("this sqlite3 is too old for ->>: %s", out)
		}
		for _, v := range views {
			out, err := exec.Command(shell, "-readonly", path, v.query).CombinedOutput()
			if got := string(bytes.TrimSuffix(out, []byte("\n"))); err != nil || got != v.want {
				t.Errorf("%s: %v:\n%s\nwant\n%s", v.query, err, got, v.want)
			}
		}
	})
}

// query prints an answer as the shell does.
func query(t *testing.T, db *sql.DB, text string) string {
	t.Helper()
	rows, err := db.Query(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var lines []string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var cells []string
		for _, v := range values {
			cells = append(cells, v.String)
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", text, err))
	}
	return strings.Join(lines, "\n")
}
