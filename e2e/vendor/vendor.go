// SPDX-License-Identifier: Apache-2.0

// Package vendor runs the published clients of Agent Secret Store, as they are, on a vault of keyward: keyward serve --compat.
package vendor

import (
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/keyward-go/keyward/e2e/internal/kit"
)

//go:embed package.json package-lock.json *.cjs
var files embed.FS

// compat is what the groups need keyward serve to do.
var compat = []string{"--compat"}

// modules returns the folder of the packages of package-lock.json, which are installed if they are not in the cache yet. It
// wraps kit.ErrSkip if this machine has no Node.js for them.
func modules(ctx context.Context) (string, error) {
	// The SDK is an ES module behind its entry for require, and has no file behind its entry for import.
	out, err := exec.CommandContext(ctx, "node", "-p", "process.features.require_module === true").Output()
	if _, noNPM := exec.LookPath("npm"); err != nil || noNPM != nil || strings.TrimSpace(string(out)) != "true" {
		return "", fmt.Errorf("%w: it needs Node.js 20.19, 22.12 or later, and npm", kit.ErrSkip)
	}
	begin := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		if begin[name], err = files.ReadFile(name); err != nil {
			return "", err
		}
	}
	dir, err := kit.Cached(fmt.Sprintf("e2e-vendor-%x", sha256.Sum256(begin["package-lock.json"]))[:24], begin, func(dir string) error {
		fmt.Println("  npm installs the clients")
		npm := exec.CommandContext(ctx, "npm", "--prefix", dir, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		if out, err := npm.CombinedOutput(); err != nil {
			return fmt.Errorf("npm ci: %w: %s", err, out)
		}
		return nil
	})
	return filepath.Join(dir, "node_modules"), err
}

// start runs a script with what it is told, and what all of them are.
func start(ctx context.Context, k *kit.Kit, script string, env ...string) (*kit.Worker, error) {
	dir, err := modules(ctx)
	if err != nil {
		return nil, err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	sources := map[string][]byte{}
	for _, name := range []string{script, "kit.cjs"} {
		if sources[name], err = files.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return k.Start(ctx, kit.Command{
		Name: script, Args: []string{node, script}, Files: sources, Env: append(env, "NODE_PATH="+dir, "URL="+k.URL),
	})
}
