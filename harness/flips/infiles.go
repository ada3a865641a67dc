// SPDX-License-Identifier: Apache-2.0

package flips

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

const headFile = kit.StoreFile + "-head"

// moment is a vault's folder while it is open, as a crash would leave it, and what the vault says then.
type moment struct {
	files
	questions
	truth answers
}

func plain(s vault.Store) vault.Store { return s }

// inFiles makes a vault in made and returns its files as targets.
func inFiles(ctx context.Context, r *kit.Run, made string) ([]*target, error) {
	moments, closed, err := live(ctx, r.Store, made)
	if err != nil {
		return nil, err
	}
	for i := range moments {
		if err := moments[i].learn(ctx, r.Store, made); err != nil {
			return nil, err
		}
	}
	wrap := plain
	if r.Bug {
		wrap = func(s vault.Store) vault.Store { return headless{s} }
	}
	last := moments[len(moments)-1]
	tail, whole := kit.StoreFile, "journal"
	var targets []*target
	if r.Store.Name == "sqlite" {
		tail, whole = kit.StoreFile+"-wal", "log of the database"
		atRest := moment{closed, last.questions, last.truth}
		targets = append(targets, atRest.target(r.Store, "database", kit.StoreFile, wrap))
	}
	return append(targets,
		last.target(r.Store, whole, tail, wrap),
		last.target(r.Store, "head file", headFile, wrap),
		crashes(r.Store, moments, tail, wrap),
	), nil
}

// live is the life of the vault: the moments behind its checkpoint, and the files when it is closed.
func live(ctx context.Context, store kit.Store, dir string) (moments []moment, closed files, err error) {
	opened, err := store.Open(ctx, filepath.Join(dir, kit.StoreFile))
	if err != nil {
		return nil, nil, err
	}
	s := newSubject(ctx, opened, kms.KeyFile(filepath.Join(dir, kit.KeyFile)))
	s.fill(ctx)
	note := func() {
		s.count(ctx)
		s.do(func() error {
			f, err := readFiles(dir)
			q := s.questions
			q.paths, q.bearers = maps.Clone(q.paths), maps.Clone(q.bearers)
			moments = append(moments, moment{files: f, questions: q})
			return err
		})
	}
	note()
	for _, step := range s.later(ctx) {
		step()
		note()
	}
	if s.v != nil {
		s.err = errors.Join(s.err, s.v.Close())
	}
	if s.err == nil {
		closed, s.err = readFiles(dir)
	}
	return moments, closed, s.err
}

// learn asks the untouched vault.
func (m *moment) learn(ctx context.Context, store kit.Store, dir string) (err error) {
	refused, broken := m.ask(ctx, store, dir, m.files, plain, &m.truth)
	if err := errors.Join(refused, broken); err != nil {
		return fmt.Errorf("the untouched vault: %w", err)
	}
	return nil
}

// ask opens the files and asks everything. got, if not nil, is given the answers; otherwise they must be true.
func (m *moment) ask(ctx context.Context, store kit.Store, dir string, f files, wrap func(vault.Store) vault.Store, got *answers) (refused, err error) {
	if err := f.write(dir); err != nil {
		return nil, err
	}
	v, err := openIn(ctx, store, dir, wrap)
	return m.askOpened(ctx, v, err, got)
}

// askOpened asks a vault, which failed is about if it did not open.
func (m *moment) askOpened(ctx context.Context, v *vault.Vault, failed error, got *answers) (refused, err error) {
	if err := failed; err != nil {
		if sentinel(err) == "" {
			return err, kit.Violationf("open: an error of no kind: %v", err)
		}
		return err, nil
	}
	a, refused, err := m.questions.ask(ctx, v)
	if closing := v.Close(); err == nil && closing != nil && refused == nil {
		refused = closing
		if sentinel(closing) == "" {
			err = kit.Violationf("close: an error of no kind: %v", closing)
		}
	}
	if got != nil {
		*got = a
	} else if err == nil {
		err = a.wrong(m.truth)
		if err == nil && refused == nil && len(a) != len(m.truth) {
			err = kit.Violationf("%d answers, want %d", len(a), len(m.truth))
		}
	}
	return refused, err
}

// target is every change of one file; the last one leaves it out.
func (m moment) target(store kit.Store, name, file string, wrap func(vault.Store) vault.Store) *target {
	content := m.files[file]
	return &target{name: name, tries: changes(len(content)) + 1, try: func(ctx context.Context, dir string, i int) (error, error) {
		var now []byte
		if i < changes(len(content)) {
			now = changed(content, i)
		}
		return m.ask(ctx, store, dir, m.files.with(file, now), wrap, nil)
	}}
}

// crashes is every cut between two moments with the head file of the former: what a crash in a commit leaves. The vault must
// open, and say what it said in the former moment.
func crashes(store kit.Store, moments []moment, tail string, wrap func(vault.Store) vault.Store) *target {
	ends := []int{}
	for _, m := range moments {
		ends = append(ends, len(m.files[tail]))
	}
	start := ends[0]
	try := func(ctx context.Context, dir string, i int) (error, error) {
		n := start + i
		k, whole := slices.BinarySearch(ends, n)
		if !whole {
			k--
		}
		before, after := moments[k], moments[k+1]
		if !bytes.HasPrefix(after.files[tail], before.files[tail]) {
			return nil, errors.New("a commit did more than to append")
		}
		refused, err := before.ask(ctx, store, dir, after.files.with(tail, after.files[tail][:n]).with(headFile, before.files[headFile]), wrap, nil)
		if err == nil && refused != nil {
			err = kit.Violationf("what a crash leaves is refused: %v", refused)
		}
		return refused, err
	}
	return &target{name: "crashes", tries: ends[len(ends)-1] - start, try: try}
}
