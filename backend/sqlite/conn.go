// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strings"

	engine "modernc.org/sqlite"

	"github.com/keyward-go/keyward/vault"
)

// conn is one connection, used by one goroutine at a time. It goes to the driver directly: database/sql costs as much as
// the engine for a small statement. No context reaches the driver: one that can be cancelled costs a goroutine and a
// progress handler a call, and a COMMIT must not be cancelled at all.
type conn struct {
	driver.Conn
	kept []*stmt // closed with it; SQLite keeps a connection open as long as it has statements
}

// busyTimeout stands behind the side lock, against foreign tools.
const busyTimeout = "busy_timeout=1000"

// dial opens a connection to the existing file at path, which must be absolute. The path is escaped: it may hold '?',
// '%' and '#'.
func dial(path string, pragmas ...string) (*conn, error) {
	u := url.URL{Scheme: "file", Path: path, RawQuery: "mode=rw&_defensive=1&_dqs=0&_error_rc=1"}
	connector, err := engine.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	dc, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: dc}
	for _, p := range append([]string{
		busyTimeout,
		"temp_store=memory",       // nothing of ours in /tmp
		"trusted_schema=off",      // a changed schema cannot call functions
		"wal_autocheckpoint=0",    // checkpoint.go does it, and sees its errors
		"mmap_size=0",             // a disk error would be a SIGBUS in the program that opened the vault
		"cell_size_check=on",      // damaged pages are errors
		"synchronous=full",        // in WAL: sync at every commit
		"secure_delete=on",        // removed bytes become zeros
		"fullfsync=on",            // macOS: fsync alone does not reach the platter
		"checkpoint_fullfsync=on", // the same
	}, pragmas...) {
		if err := c.run("PRAGMA " + p); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// verify reads the settings back on which durability rests.
func (c *conn) verify() error {
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "wal_autocheckpoint": "0", "secure_delete": "1"}
	if runtime.GOOS == "darwin" {
		want["fullfsync"] = "1"
	}
	for name, w := range want {
		v, err := c.value("PRAGMA " + name)
		if err != nil {
			return err
		}
		if got := fmt.Sprint(v); !strings.EqualFold(got, w) {
			err := fmt.Errorf("PRAGMA %s is %s, must be %s: commits would not be durable", name, got, w)
			if name == "journal_mode" { // it stands in the file
				err = fmt.Errorf("%w: %w", err, vault.ErrTampered)
			}
			return err
		}
	}
	return nil
}

// run executes constant text, once.
func (c *conn) run(text string) error {
	s, err := c.prepare(text)
	if err != nil {
		return err
	}
	return errors.Join(s.exec(), s.Close())
}

// value answers the first column of the first row.
func (c *conn) value(text string) (v driver.Value, err error) {
	s, err := c.prepare(text)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	err = s.query(func(row []driver.Value) error { v = row[0]; return nil })
	return v, err
}

// stmt is a prepared statement and its arguments, which are used again.
type stmt struct {
	driver.Stmt
	args []driver.NamedValue
}

func (c *conn) prepare(text string) (*stmt, error) {
	s, err := c.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	return &stmt{Stmt: s}, nil
}

// keep prepares a statement for the life of the connection.
func (c *conn) keep(text string) (*stmt, error) {
	s, err := c.prepare(text)
	if err == nil {
		c.kept = append(c.kept, s)
	}
	return s, err
}

// Close finalizes the statements that were kept, then closes the connection.
func (c *conn) Close() error {
	var errs []error
	for _, s := range c.kept {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.Conn.Close())...)
}

// bind sets argument i, from 0. Arguments are set in order.
func (s *stmt) bind(i int, v driver.Value) {
	if i == len(s.args) {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1})
	}
	s.args[i].Value = v
}

// exec runs s with args, or with what was bound before.
func (s *stmt) exec(args ...driver.Value) error {
	for i, a := range args {
		s.bind(i, a)
	}
	_, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), s.args)
	for i := range s.args {
		s.args[i].Value = nil // a value of a megabyte is not kept
	}
	return err
}

// query calls each with every row. The slice is used again; what it holds is the callee's.
func (s *stmt) query(each func(row []driver.Value) error, args ...driver.Value) error {
	for i, a := range args {
		s.bind(i, a)
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), s.args)
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(rows.Columns()))
	for err == nil {
		if err = rows.Next(row); err == nil {
			err = each(row)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, rows.Close())
}
