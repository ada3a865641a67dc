// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"errors"
	"os"
	"path/filepath"
)

// CacheDir returns where what was built and installed is kept for the next run. A worker may run as another user, to whom the
// home of root is closed as a rule, so root's is a system folder unless XDG_CACHE_HOME says otherwise.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if os.Getuid() == 0 && os.Getenv("XDG_CACHE_HOME") == "" {
		base, err = "/var/cache", nil
	}
	return filepath.Join(base, "keyward-ci"), err
}

// Cached returns the folder of this name in the cache. If it is not there fill makes it, with the files that it begins with; it gets
// its name when it is complete. Other runs may make the same.
func Cached(name string, begin map[string][]byte, fill func(dir string) error) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(cache, "e2e-part-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part) // nothing is there if it was renamed
	err = os.Chmod(part, 0o755)
	for file, text := range begin {
		err = errors.Join(err, os.WriteFile(filepath.Join(part, file), text, 0o644))
	}
	if err == nil {
		err = fill(part)
	}
	if err != nil {
		return "", err
	}
	err = os.Rename(part, dir)
	if _, err2 := os.Stat(dir); err2 == nil {
		err = nil // another run was first
	}
	return dir, err
}
