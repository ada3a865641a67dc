// SPDX-License-Identifier: Apache-2.0

package flips

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

// inMemory makes a vault in memory, with its key in made, and returns what it has written as targets.
func inMemory(ctx context.Context, r *kit.Run, made string) ([]*target, error) {
	root := kms.KeyFile(filepath.Join(made, kit.KeyFile))
	store := memory.New()
	s := newSubject(ctx, store, root)
	s.fill(ctx)
	for _, step := range s.later(ctx) {
		step()
	}
	s.count(ctx)
	var backup, export, archive, rest bytes.Buffer
	var c content
	s.do(func() error {
		held, err := kit.ContentOf(ctx, store)
		c = content(held)
		return err
	})
	m := moment{questions: s.questions}
	m.paths, m.bearers = maps.Clone(m.paths), maps.Clone(m.bearers)
	s.do(func() error { return s.op.Backup(ctx, &backup, "flips") })
	s.do(func() error { return s.v.Log().Export(ctx, &export) })
	key := ""
	s.do(func() error { key = s.v.Log().Key(); return nil })
	s.now = began.Add(2 * time.Hour) // the tokens have expired
	s.put(ctx, first)                // what is archived lies before it
	s.do(func() error { return s.op.Archive(ctx, began.Add(time.Hour), &archive, "flips") })
	s.do(func() error { return s.v.Log().Export(ctx, &rest) })
	if s.v != nil {
		s.err = errors.Join(s.err, s.v.Close())
	}
	if s.err != nil {
		return nil, s.err
	}
	keyText, err := os.ReadFile(filepath.Join(made, kit.KeyFile))
	if err != nil {
		return nil, err
	}
	restored := m
	if err := m.learnFrom(ctx, c, root); err != nil {
		return nil, err
	}
	if err := restored.learnRestored(ctx, backup.Bytes(), root); err != nil {
		return nil, err
	}
	check := verify
	if r.Bug {
		check = countLines
	}
	parts := strings.SplitAfterN(archive.String(), "\n\n", 3) // text, signature, records
	from := []byte(parts[0] + strings.TrimSuffix(parts[1], "\n"))
	texts := func(name string, text, from []byte, earlier ...[]byte) *target {
		return &target{name: name, tries: changes(len(text)), try: func(_ context.Context, _ string, i int) (error, error) {
			err := check(from, changed(text, i), key, earlier...)
			if err == nil {
				return nil, kit.Violationf("silently accepted")
			}
			return errors.Join(err, vault.ErrTampered), nil // whatever a verifier answers is a refusal
		}}
	}
	row := c.row("keyring")
	return []*target{
		{name: "keyring", tries: changes(len(row.Data)), try: func(ctx context.Context, _ string, i int) (error, error) {
			return m.askStore(ctx, c.with("keyring", changed(row.Data, i)), root, nil)
		}},
		{name: "key file", tries: changes(len(keyText)), try: func(ctx context.Context, dir string, i int) (error, error) {
			if err := (files{kit.KeyFile: changed(keyText, i)}).write(dir); err != nil {
				return nil, err
			}
			return m.askStore(ctx, c, kms.KeyFile(filepath.Join(dir, kit.KeyFile)), nil)
		}},
		{name: "backup", tries: changes(backup.Len()), try: func(ctx context.Context, _ string, i int) (error, error) {
			return restored.askRestored(ctx, changed(backup.Bytes(), i), root, nil)
		}},
		texts("export", export.Bytes(), nil, m.checkpoint),
		texts("archive", archive.Bytes(), nil, m.checkpoint),
		texts("export behind the archive", rest.Bytes(), from),
	}, nil
}

func verify(from, export []byte, key string, earlier ...[]byte) error {
	_, err := audit.VerifyFrom(from, bytes.NewReader(export), key, earlier...)
	return err
}

// content is what the subject's store holds, to be changed.
type content kit.Content

func (c content) row(key string) vault.Row {
	for _, r := range c.Rows {
		if r.Key == key {
			return r
		}
	}
	return vault.Row{}
}

// with is the content with other data in one row, or without the row.
func (c content) with(key string, data []byte) content {
	out := content{Lines: c.Lines}
	for _, r := range c.Rows {
		if r.Key == key {
			r.Data = data
		}
		if len(r.Data) > 0 {
			out.Rows = append(out.Rows, r)
		}
	}
	return out
}

func (m *moment) learnFrom(ctx context.Context, c content, root vault.RootKey) error {
	refused, err := m.askStore(ctx, c, root, &m.truth)
	return errors.Join(refused, err)
}

func (m *moment) learnRestored(ctx context.Context, backup []byte, root vault.RootKey) error {
	refused, err := m.askRestored(ctx, backup, root, &m.truth)
	return errors.Join(refused, err)
}

// askStore opens the content and asks everything.
func (m *moment) askStore(ctx context.Context, c content, root vault.RootKey, got *answers) (refused, err error) {
	store := memory.New()
	err = store.Update(ctx, 0, func([]vault.Row) (vault.Batch, error) { return vault.Batch{Lines: c.Lines, Rows: c.Rows}, nil })
	if err != nil {
		return nil, err
	}
	v, err := open(ctx, store, root, still)
	return m.askOpened(ctx, v, err, got)
}

// askRestored restores a backup and asks everything.
func (m *moment) askRestored(ctx context.Context, backup []byte, root vault.RootKey, got *answers) (refused, err error) {
	v, err := vault.Restore(ctx, vault.Config{Store: memory.New(), Root: root, Now: still}, bytes.NewReader(backup), "flips")
	return m.askOpened(ctx, v, err, got)
}
