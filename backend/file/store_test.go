// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package file_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/keyward-go/keyward/backend/backendtest"
	"github.com/keyward-go/keyward/backend/file"
	"github.com/keyward-go/keyward/vault"
)

func TestStore(t *testing.T) {
	backendtest.Run(t, func(dir string) (vault.Store, error) {
		return file.Open(t.Context(), filepath.Join(dir, "vault.journal"))
	})
}

// Every commit of this one compacts.
func TestStoreCompacting(t *testing.T) {
	backendtest.Run(t, func(dir string) (vault.Store, error) {
		s, err := file.Open(t.Context(), filepath.Join(dir, "vault.journal"))
		if err != nil {
			return nil, err
		}
		return compacting{s}, nil
	})
}

type compacting struct{ *file.Store }

func TestFaults(t *testing.T) {
	backendtest.RunFaults(t, func(dir string, fail func(string) error) (vault.Store, error) {
		return file.OpenFaulty(t.Context(), filepath.Join(dir, "vault.journal"), uncut(fail))
	})
}

// A commit that does not scrub has fewer steps.
func TestFaultsWithoutScrub(t *testing.T) {
	backendtest.RunFaults(t, func(dir string, fail func(string) error) (vault.Store, error) {
		s, err := file.OpenFaulty(t.Context(), filepath.Join(dir, "vault.journal"), uncut(fail))
		if err != nil {
			return nil, err
		}
		return unscrubbed{s}, nil
	})
}

// uncut leaves the step out that only follows a failure. A disk that is full lets a file be cut.
func uncut(fail func(string) error) func(string) error {
	return func(step string) error {
		if step == "cut" {
			return nil
		}
		return fail(step)
	}
}

func (s compacting) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	return s.Store.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
		b, err := fn(rows)
		s.Compact()
		return b, err
	})
}

type unscrubbed struct{ *file.Store }

func (s unscrubbed) Update(ctx context.Context, since int64, fn func([]vault.Row) (vault.Batch, error)) error {
	return s.Store.Update(ctx, since, func(rows []vault.Row) (vault.Batch, error) {
		b, err := fn(rows)
		b.Scrub = false
		return b, err
	})
}
