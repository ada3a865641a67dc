// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/vault"
)

const path = "production/search/key"

// create makes vaults on a disk that has too little room, and again when it has enough.
func (t *trial) create(ctx context.Context) error {
	for i := range t.pass.Times {
		n := (t.pass.First + i) % pages
		if err := errors.Join(os.Mkdir(t.dir, 0o700), t.fill(n, making)); err != nil {
			return err
		}
		v, err := t.openVault(ctx)
		if err == nil {
			err = v.Close()
		}
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			return kit.Violationf("making a vault with %d pages left: not a full disk but %v", n, err)
		}
		if err := t.makeRoom(); err != nil {
			return err
		}
		if v, err = t.openVault(ctx); err != nil {
			return kit.Violationf("making a vault once there is room, after %d pages: %v", n, err)
		}
		book := kit.NewBook()
		w := &kit.Work{Name: "create", V: v, Tell: func(a kit.Ack) { err = errors.Join(err, book.Add([]kit.Ack{a})) }}
		w.Script(ctx, 3)
		err = errors.Join(err, book.Check(ctx, v), v.Close(), os.RemoveAll(t.dir))
		if err != nil {
			return err
		}
	}
	return nil
}

// work fills the disk under a vault that is at work.
func (t *trial) work(ctx context.Context) error {
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return err
	}
	v, err := t.openVault(ctx)
	if err != nil {
		return err
	}
	defer v.Close()
	book := kit.NewBook()
	t.working.Store(true)
	defer t.working.Store(false)
	for i := t.pass.First; i < t.pass.First+t.pass.Times; i++ {
		n := i % pages
		if err := t.once(ctx, v, book, i, n); err != nil { // what it has cost is worth knowing
			err = errors.Join(err, v.Close(), os.RemoveAll(t.filler()), t.reopened(ctx, book))
			return fmt.Errorf("%d pages left: %w", n, err)
		}
	}
	return errors.Join(v.Close(), t.reopened(ctx, book))
}

// reopened checks the vault once more after it was opened anew.
func (t *trial) reopened(ctx context.Context, book *kit.Book) error {
	v, err := t.openVault(ctx)
	if err != nil {
		return kit.Violationf("it does not open again: %v", err)
	}
	return errors.Join(book.Check(ctx, v), v.Close())
}

// once works until nothing goes any more with n pages left, makes room, and works on.
func (t *trial) once(ctx context.Context, v *vault.Vault, book *kit.Book, i, n int) error {
	var lies error
	w := &kit.Work{Name: fmt.Sprint("f", i), V: v, Pad: i * 97 % 5000, Tell: func(a kit.Ack) { lies = errors.Join(lies, book.Add([]kit.Ack{a})) }}
	doomed, link, err := w.Issue(ctx, 0)
	counted, _, err2 := w.Issue(ctx, 100)
	if err := errors.Join(err, err2, w.Put(ctx, path)); err != nil {
		return kit.Violationf("with room: %v", err)
	}
	if err := t.fill(n, working); err != nil {
		return err
	}
	for n := 0; err == nil; n++ {
		switch n % 4 {
		case 0, 2:
			err = w.Get(ctx, doomed, path)
		case 1:
			err = w.Put(ctx, path)
		case 3:
			err = w.Use(ctx, doomed, path)
		}
	}
	if !errors.Is(err, vault.ErrNotRecorded) || !errors.Is(err, syscall.ENOSPC) {
		return kit.Violationf("a full disk answers %v", err)
	}
	revoked := w.Revoke(ctx, link)
	if err := w.Get(ctx, doomed, path); err == nil {
		return kit.Violationf("granted to a token after Revoke answered %v", revoked)
	}
	if err := t.makeRoom(); err != nil {
		return err
	}
	if err := w.Get(ctx, doomed, path); !errors.Is(err, vault.ErrDeadToken) {
		return kit.Violationf("a token after Revoke answered %v: %v", revoked, err)
	}
	err = errors.Join(w.Revoke(ctx, link), w.Put(ctx, path), w.Get(ctx, counted, path), w.Use(ctx, counted, path), w.Delete(ctx, path))
	if err != nil {
		return kit.Violationf("once there is room: %v", err)
	}
	return errors.Join(lies, book.Check(ctx, v))
}

// open opens a vault on a full disk: it opens or says that the disk is full, and nothing is lost by it.
func (t *trial) open(ctx context.Context) error {
	for i := range t.pass.Times {
		n := (t.pass.First + i) % pages
		if err := t.fill(n, opening); err != nil {
			return err
		}
		v, err := t.openVault(ctx)
		if err == nil {
			_, err = v.Operator("full").List(ctx, vault.Request{Path: "*"})
			v.Close() // it may lack the room to tidy up
		}
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			return kit.Violationf("opening with %d pages left: not a full disk but %v", n, err)
		}
		if err := errors.Join(t.makeRoom(), t.reopened(ctx, kit.NewBook())); err != nil {
			return fmt.Errorf("opened with %d pages left: %w", n, err)
		}
	}
	return nil
}

// readOnly opens a vault on a read-only file system: nothing is granted, and no byte changes.
func (t *trial) readOnly(ctx context.Context) error {
	before, err := contents(t.dir)
	if err != nil {
		return err
	}
	if err := mount("-o", "remount,ro", t.mount); err != nil {
		return err
	}
	if err := os.Mkdir(t.filler(), 0o700); !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("the file system is not read-only: %v", err)
	}
	v, err := t.openVault(ctx)
	if err == nil {
		if _, err = v.Operator("read-only").List(ctx, vault.Request{Path: "*"}); err == nil {
			return kit.Violationf("granted on a read-only file system")
		}
		v.Close()
	}
	if !errors.Is(err, syscall.EROFS) {
		return kit.Violationf("a read-only file system answers %v", err)
	}
	t.Ack(kit.Ack{Op: opReadOnly})
	after, err := contents(t.dir)
	if err == nil && !bytes.Equal(before, after) {
		err = kit.Violationf("bytes changed on a read-only file system")
	}
	if err := errors.Join(err, mount("-o", "remount,rw", t.mount)); err != nil {
		return err
	}
	return t.reopened(ctx, kit.NewBook())
}

// contents is all files of a folder, one behind the other.
func contents(dir string) (all []byte, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		all = fmt.Appendf(all, "%s %d\n%s", e.Name(), len(data), data)
	}
	return all, err
}
