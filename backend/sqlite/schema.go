// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

const (
	applicationID = 0x6b777264 // "kwrd"
	format        = 1          // user_version
)

// schema of format 1, statement by statement, as sqlite_schema shows it.
//
// The row "head" is rewritten in every commit, so it has a table of its own: a commit then writes one page for it. In
// rows it would write the pages of an index too, and now and then split a page that it shares with others (measured, a
// record of 350 B and a head of 1.2 KB: 2.2 pages a commit, 3.2 with head in rows under an index, 5.1 in a table WITHOUT
// ROWID, where a row above 1,000 bytes spills). Which rows a line wrote stands beside the line, as a JSON array of their
// keys, on a page that the commit writes anyway: an index on the number cost a counted token a page and a fifth of its rate.
// The log has no index either: one would halve the rate of commits.
var schema = []string{
	`CREATE TABLE log (seq INTEGER PRIMARY KEY, line TEXT NOT NULL, wrote TEXT)`,
	`CREATE TABLE head (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, data NOT NULL)`,
	`CREATE TABLE rows (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, data NOT NULL)`,
	`CREATE TABLE dropped (id INTEGER PRIMARY KEY, next INTEGER NOT NULL)`,
	"CREATE VIEW audit AS SELECT seq" + fields("line", "time", "outcome", "cause", "uses", "op", "operator", "agent", "run",
		"user", "tenant", "token", "target", "path", "version", "source", "method", "host", "addr", "reason", "call", "trace",
		"count", "detail", "metadata") + ", line FROM log",
	"CREATE VIEW secrets AS SELECT substr(key, 3) AS path" + fields("data", "next", "policy") + keyed('s'),
	"CREATE VIEW versions AS SELECT substr(key, 3, instr(substr(key, 3), ':') - 1) AS path, " +
		"CAST(substr(key, 3 + instr(substr(key, 3), ':')) AS INTEGER) AS version" +
		fields("data", "created", "reason", "fingerprint", "gone") + keyed('v'),
	"CREATE VIEW tokens AS SELECT substr(key, 3) AS token, data ->> '$.uses' AS uses, data ->> '$.revoked' AS revoked, " +
		"datetime(data ->> '$.expires', 'unixepoch') AS expires, seq, data" + keyed('t')[len(", seq, data"):],
	"CREATE VIEW keys AS SELECT 'key:' || substr(key, 3) AS id" + fields("data", "name", "operator", "revoked") +
		", datetime(data ->> '$.limits.expires', 'unixepoch') AS expires" + keyed('k'),
	"CREATE VIEW freezes AS SELECT substr(key, 3, instr(substr(key, 3), ':') - 1) AS kind, " +
		"substr(key, 3 + instr(substr(key, 3), ':')) AS value" + fields("data", "reason", "since") + keyed('f') +
		" AND data ->> '$.thawed' IS NULL",
}

// fields are the columns of a view that show members of a JSON column.
func fields(column string, names ...string) string {
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, `, %s ->> '$.%s' AS "%[2]s"`, column, n)
	}
	return b.String()
}

// keyed ends a view over the rows of one kind.
func keyed(kind byte) string {
	return fmt.Sprintf(", seq, data FROM rows WHERE key >= '%c:' AND key < '%[1]c;'", kind)
}

// state is what a file holds.
type state int

const (
	ours state = iota
	empty
)

// inspect tells whether the file is a vault of this format or empty; anything else is an error.
func (c *conn) inspect() (state, error) {
	var head [2]int64
	for i, p := range []string{"PRAGMA application_id", "PRAGMA user_version"} {
		v, err := c.value(p)
		if err != nil {
			return 0, err
		}
		head[i], _ = v.(int64)
	}
	have, err := c.objects()
	switch {
	case err != nil:
		return 0, err
	case head == [2]int64{} && len(have) == 0:
		return empty, nil
	case head[0] != applicationID:
		return 0, fmt.Errorf("not a keyward vault, but a SQLite database of another program: %w", vault.ErrTampered)
	case head[1] > format:
		return 0, fmt.Errorf("written by a newer keyward (format %d, this one knows %d): update: %w", head[1], format, errors.ErrUnsupported)
	case head[1] < format:
		return 0, fmt.Errorf("format %d is unknown: %w", head[1], vault.ErrTampered)
	}
	for _, text := range schema {
		if !have[text] {
			return 0, fmt.Errorf("the schema lacks %q: %w", strings.SplitN(text, " (", 2)[0], vault.ErrTampered)
		}
		delete(have, text)
	}
	for text := range have { // nothing may act behind our back, or slow a commit
		if !strings.HasPrefix(text, "CREATE VIEW") {
			return 0, fmt.Errorf("the schema has a foreign %q: %w", text, vault.ErrTampered)
		}
	}
	return ours, nil
}

// bare tells whether nothing was ever committed to the vault.
func (c *conn) bare() (bool, error) {
	v, err := c.value("SELECT EXISTS (SELECT 1 FROM log) OR EXISTS (SELECT 1 FROM head) OR EXISTS (SELECT 1 FROM rows) " +
		"OR EXISTS (SELECT 1 FROM dropped)")
	return v == int64(0), err
}

// objects is the text of everything in the schema; SQLite's own indexes have none.
func (c *conn) objects() (map[string]bool, error) {
	have := make(map[string]bool)
	s, err := c.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return have, s.query(func(row []driver.Value) error {
		have[fmt.Sprint(row[0])] = true
		return nil
	})
}

// initialise makes an empty file a vault. The caller holds the side lock. A crash leaves it empty or done.
func (c *conn) initialise() error {
	if err := c.run("PRAGMA journal_mode=wal"); err != nil {
		return err
	}
	steps := append([]string{"BEGIN IMMEDIATE"}, schema...)
	steps = append(steps, fmt.Sprint("PRAGMA application_id=", applicationID), fmt.Sprint("PRAGMA user_version=", format), "COMMIT")
	for _, s := range steps {
		if err := c.run(s); err != nil {
			c.run("ROLLBACK") // an error, if nothing had begun; whoever called closes the connection
			return err
		}
	}
	return nil
}
