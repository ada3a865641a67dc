// SPDX-License-Identifier: Apache-2.0

// Package python makes virtual environments of exactly pinned packages, and runs programs in them.
package python

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/keyward-go/keyward/e2e/internal/kit"
)

// The requirements, each all that pip freeze has said, and stand.py, which runs a program and then stands until it was looked
// into.
//
//go:embed *.txt stand.py
var files embed.FS

// Venv returns the interpreter of a virtual environment with the requirements of the file, which is made if it is not in the
// cache yet. It wraps kit.ErrSkip if this machine has no Python for it.
func Venv(ctx context.Context, requirements string) (interpreter string, err error) {
	text, err := files.ReadFile(requirements)
	if err != nil {
		return "", err
	}
	base, version := find(ctx)
	if base == "" {
		return "", fmt.Errorf("%w: it needs Python 3.10, 3.11 or 3.12, and pip", kit.ErrSkip)
	}
	hash := sha256.Sum256(append([]byte(version), text...))
	dir, err := kit.Cached(fmt.Sprintf("e2e-%x", hash[:6]), map[string][]byte{requirements: text}, func(dir string) error {
		fmt.Printf("  pip installs %s for %s\n", requirements, version)
		for _, args := range [][]string{
			{base, "-m", "venv", "--without-pip", dir},
			{pip(ctx), "-m", "pip", "--python", filepath.Join(dir, "bin", "python"), "install", "--quiet", "--no-deps", "--only-binary", ":all:", "-r", filepath.Join(dir, requirements)},
		} {
			if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
			}
		}
		return nil
	})
	return filepath.Join(dir, "bin", "python"), err // the paths of its own that it has do not matter to who runs its interpreter
}

var names = []string{"python3", "python3.12", "python3.11", "python3.10", "/usr/bin/python3"}

// find returns a Python that can be used, and its version. One that other users can run is preferred: that is not one below
// the home of root.
func find(ctx context.Context) (path, version string) {
	const ask = `import os, sys; print(os.path.realpath(sys.executable)); print(sys.version.split()[0]); sys.exit(not (3, 10) <= sys.version_info < (3, 13))`
	home, _ := os.UserHomeDir() // empty: no preference
	for _, name := range names {
		out, err := exec.CommandContext(ctx, name, "-c", ask).Output()
		found, v, ok := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if err != nil || !ok {
			continue
		}
		if path == "" || home != "" && strings.HasPrefix(path, home+"/") && !strings.HasPrefix(found, home+"/") {
			path, version = found, v
		}
	}
	if pip(ctx) == "" {
		return "", ""
	}
	return path, version
}

// pip returns a Python that has pip; it can install for another one.
func pip(ctx context.Context) string {
	for _, name := range names {
		if out, err := exec.CommandContext(ctx, name, "-m", "pip", "--version").Output(); err == nil && bytes.HasPrefix(out, []byte("pip ")) {
			return name
		}
	}
	return ""
}

// Start runs a program in the virtual environment of interpreter until it is done, and leaves its process standing. The first
// of the command's Args is the name of one of its Files.
func Start(ctx context.Context, k *kit.Kit, interpreter string, c kit.Command) (*kit.Worker, error) {
	stand, err := files.ReadFile("stand.py")
	if err != nil {
		return nil, err
	}
	c.Files = maps.Clone(c.Files)
	c.Files["stand.py"] = stand
	c.Args = append([]string{interpreter, "stand.py"}, c.Args...)
	c.Env = append([]string{"PYTHONDONTWRITEBYTECODE=1"}, c.Env...)
	return k.Start(ctx, c)
}
