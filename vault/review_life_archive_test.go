// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// onFirstWrite calls meanwhile when it is first written to.
type onFirstWrite struct {
	bytes.Buffer
	meanwhile func() error
}

func (w *onFirstWrite) Write(b []byte) (int, error) {
	if f := w.meanwhile; f != nil {
		w.meanwhile = nil
		if err := f(); err != nil {
			return 0, err
		}
	}
	return w.Buffer.Write(b)
}

// TestArchiveWhileRotated: records are dropped only if what the writer got is one archive. A change of keys makes every call
// be done again, and what was written stays written.
func TestArchiveWhileRotated(t *testing.T) {
	full := errors.New("disk full")
	for name, c := range map[string]struct {
		elsewhere bool
		fails     func() error
	}{
		"in this process":              {false, nil},
		"in another":                   {true, nil},
		"and the first writing fails":  {false, func() error { return full }},
		"and the first writing panics": {true, func() error { panic("no") }},
	} {
		t.Run(name, func(t *testing.T) {
			a := aged(t, 4)
			op := a.op
			if c.elsewhere {
				op = a.open(vault.Config{}).Operator("admin")
			}
			w := &onFirstWrite{meanwhile: func() error {
				rotate(t, op, false)
				if c.fails != nil {
					return c.fails()
				}
				return nil
			}}
			first := a.first()
			err := a.op.Archive(context.Background(), a.clock.now().AddDate(0, 0, -2), w, "old")
			if c.fails != nil {
				if err == nil || a.first() != first || w.Len() > 0 {
					t.Errorf("the log begins at %d, %d bytes were written; %v", a.first(), w.Len(), err)
				}
				return
			}
			if _, broken := audit.Verify(bytes.NewReader(w.Bytes()), a.v.Log().Key()); err != nil || broken != nil {
				t.Errorf("the log begins at %d now: %v, %v", a.first(), err, broken)
			}
			verifies(t, a.v)
		})
	}
}
