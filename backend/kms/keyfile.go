// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keyward-go/keyward/backend/internal/disk"
	"github.com/keyward-go/keyward/vault"
)

// KeyFile returns a root whose key is 32 random bytes in the file at path, which is read again by every call.
//
// Sealing makes the file if there is none, which the vault asks for only when it is new itself: readable by its owner
// alone from the first instant, and on the disk, with its folder entry, before anything is sealed with it. Of several
// processes that do so at once one makes the key and all use it. Opening never makes a file: without one it answers
// vault.ErrNoKey, and the lost key has to come back from your copy.
//
// A file that cannot be trusted is vault.ErrNoKey too, with an error that says what to do: a symbolic link or anything
// else that is not a regular file, another owner than this process's user, access for group or others, a network file
// system or FUSE, content that is not one key. A key is not made in a folder that everyone can write to. Where files have no owner and mode to check, as on Windows, every call answers
// errors.ErrUnsupported.
func KeyFile(path string) vault.RootKey {
	return &root{
		kind: kindKeyFile,
		seal: func(_ context.Context, plaintext, data []byte) ([]byte, error) {
			key, err := loadOrMake(path)
			if err != nil {
				return nil, err
			}
			defer clear(key)
			return sealLocal(key, []byte{kindKeyFile, format}, plaintext, data)
		},
		open: func(_ context.Context, ciphertext, data []byte) ([]byte, error) {
			key, err := load(path, false)
			if err != nil {
				return nil, err
			}
			defer clear(key)
			return openLocal(key, headLen, ciphertext, data)
		},
		have: func() error {
			key, err := load(path, false)
			clear(key)
			return err
		},
	}
}

// loadOrMake makes the key if there is none and then loads what is there, whoever made it. The disk has it before the
// first ciphertext exists.
func loadOrMake(path string) ([]byte, error) {
	key, err := load(path, true)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeKey(path); err != nil && !errors.Is(err, fs.ErrExist) { // exists: another made it first
		return nil, noKey(path, err)
	}
	return load(path, true)
}

// load reads the key. With durable set it also flushes the file and its folder: the process that made them, or the
// person who copied them there, may not have come so far.
func load(path string, durable bool) ([]byte, error) {
	text, err := readKey(path, durable)
	if err != nil {
		return nil, noKey(path, err)
	}
	defer clear(text)
	key, err := parseKey(text)
	if err != nil {
		return nil, noKey(path, err)
	}
	return key, nil
}

// readKey reads no byte before it knows that nobody else could read or write the file.
func readKey(path string, durable bool) ([]byte, error) {
	f, err := disk.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if durable {
		if err := errors.Join(f.Sync(), disk.SyncDir(filepath.Dir(path))); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, int64(keyTextLen)+1))
}

// makeKey makes the file with a new key. No crash leaves half a key, and no key is ever replaced.
func makeKey(path string) error {
	key := make([]byte, keyLen)
	rand.Read(key) // never fails
	text := formatKey(key)
	defer clear(key)
	defer clear(text)
	return disk.Create(path, text)
}

func noKey(path string, err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%w; use kms.Passphrase or kms.Wrapper", err)
	}
	return fmt.Errorf("%w at %q: %w", vault.ErrNoKey, path, err)
}
