// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

const passphrase = "passphrase"

// place is a flag that says where something is. An empty one is a variable of a shell that was not set, and does not mean the
// usual place.
type place string

func (p *place) Set(text string) error {
	if text == "" {
		return usagef("it is empty; without the flag the usual place is meant")
	}
	*p = place(text)
	return nil
}

func (p *place) String() string { return string(*p) }

func (*place) Type() string { return "PLACE" }

// storePath returns the kind of the store, sqlite or file, and its path.
func (a *app) storePath() (kind, path string, err error) {
	text := a.store
	if text == "" {
		text = a.getenv(storeEnv)
	}
	if text == "" {
		text, err = a.userFile("XDG_DATA_HOME", ".local/share", "vault.db")
		return "sqlite", text, err
	}
	kind, path, found := strings.Cut(text, ":")
	switch {
	case !found || strings.Contains(kind, "/"):
		kind, path = "sqlite", text
	case kind != "sqlite" && kind != "file" || strings.HasPrefix(path, "//"):
		return "", "", usagef("--store: sqlite:PATH, file:PATH or a path; one that begins with a word and a colon is written ./WORD:…")
	case path == "":
		return "", "", usagef("--store: the path is missing")
	}
	path, err = filepath.Abs(path)
	return kind, path, err
}

// existingPath is storePath if something is there: commands that ask for a value ask this before.
func (a *app) existingPath() (kind, path string, err error) {
	kind, path, err = a.storePath()
	if err != nil {
		return "", "", err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(path + "-head"); err != nil { // with a head file alone the store says what happened
			return "", "", fmt.Errorf("%w at %s", errNoVault, path)
		}
	}
	return kind, path, checkKind(kind, path)
}

// checkKind refuses a file that begins as no store of the kind does. That is a typing mistake unless a store was here: with a head
// file beside it, which does not say of which kind, it is an alarm, or the store raises it. It is not for a store that is open: to close any descriptor of the file would
// drop the locks of SQLite.
func checkKind(kind, path string) error {
	kinds := map[string]struct{ name, begin string }{
		"sqlite": {"a SQLite vault", "SQLite format 3\x00"}, "file": {"a vault in a text file", `{"keyward":"journal",`},
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil // the store says what is wrong
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	first := make([]byte, 32)
	n, err := io.ReadFull(f, first)
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil
	}
	_, err = os.Stat(path + "-head")
	wasHere := err == nil
	for other, k := range kinds {
		switch {
		case !strings.HasPrefix(string(first[:n]), k.begin):
		case other == kind:
			return nil
		case wasHere:
			return fmt.Errorf("%w: %s is not %s, but may be %s: then --store %s:%s opens it", errOtherKind, path, kinds[kind].name, k.name, other, path)
		default:
			return usagef("%s is not %s, but may be %s: --store %s:%s opens that", path, kinds[kind].name, k.name, other, path)
		}
	}
	if wasHere {
		return nil
	}
	return usagef("%s is not %s, but another file: --store or %s names another place", path, kinds[kind].name, storeEnv)
}

// rootPath returns where the key file is; "" for a passphrase.
func (a *app) rootPath() (path string, err error) {
	text := a.root
	if text == "" {
		text = a.getenv(rootEnv)
	}
	path, isFile := strings.CutPrefix(text, "file:")
	switch {
	case text == "":
		return a.userFile("XDG_CONFIG_HOME", ".config", "root.key")
	case text == passphrase:
		return "", nil
	case !isFile || path == "":
		return "", usagef("--root: file:PATH or %s", passphrase)
	}
	return filepath.Abs(path)
}

// userFile returns a file in keyward's own folder, by the rules of the XDG base directories: a variable that is not an
// absolute path counts as not set.
func (a *app) userFile(env, otherwise, name string) (string, error) {
	dir := a.getenv(env)
	if !filepath.IsAbs(dir) {
		home := a.getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", usagef("HOME is not set, so say where the vault and its root key are: with %s and %s, or --store and --root", storeEnv, rootEnv)
		}
		dir = filepath.Join(home, otherwise)
	}
	return filepath.Join(dir, "keyward", name), nil
}

// rootKey returns the root; a passphrase is asked for, twice if it is new.
func (a *app) rootKey(ctx context.Context, isNew bool) (vault.RootKey, error) {
	path, err := a.rootPath()
	if err != nil {
		return nil, err
	}
	if path != "" {
		return kms.KeyFile(path), nil
	}
	p, err := a.prompt(ctx, "passphrase of the vault")
	if err == nil && isNew {
		var again vault.Secret
		if again, err = a.prompt(ctx, "once more"); err == nil && !again.Equal(p) {
			err = usagef("the two are not the same")
		}
	}
	return kms.Passphrase(p), err
}
