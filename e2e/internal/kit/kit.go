// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Kit is what a group is given: a vault that the built command made and serves, and an upstream. Its methods are for one
// goroutine.
type Kit struct {
	Root     string // of the repository
	Binary   string // the built command
	URL      string // of keyward serve
	Upstream *Upstream

	dir     string // of the group; the vault in it is closed to other users
	workers []*Worker
	server  *exec.Cmd
	flags   []string // of keyward serve
}

// repository returns the folder that the whole workspace is in.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOWORK").Output()
	file := strings.TrimSpace(string(out))
	if err == nil && !filepath.IsAbs(file) {
		err = errors.New("run it inside the repository: it builds ./cmd/keyward")
	}
	return filepath.Dir(file), err
}

// build builds the command into the cache.
func build(ctx context.Context, root string) (binary string, err error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	binary = filepath.Join(cache, "e2e-bin", "keyward")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "./cmd/keyward")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	return binary, cmd.Run()
}

func newKit(ctx context.Context, root, binary, dir string, serve []string) (*Kit, error) {
	k := &Kit{Root: root, Binary: binary, dir: dir}
	err := os.Chmod(dir, 0o711) // workers have their folders below it
	for _, private := range []string{"vault", "root"} {
		err = errors.Join(err, os.Mkdir(filepath.Join(dir, private), 0o700))
	}
	if err != nil {
		return nil, err
	}
	if _, err := k.Keyward(ctx, "", "init"); err != nil {
		return nil, err
	}
	k.Upstream = newUpstream()
	return k, k.serve(ctx, serve)
}

// Env is the environment in which the command finds the vault.
func (k *Kit) Env() []string {
	return append(os.Environ(),
		"KEYWARD_STORE="+filepath.Join(k.dir, "vault", "vault.db"),
		"KEYWARD_ROOT=file:"+filepath.Join(k.dir, "root", "root.key"))
}

// Keyward runs the command and returns its standard output.
func (k *Kit) Keyward(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, k.Binary, args...)
	var stderr bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stderr = k.Env(), strings.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("keyward %s: %w: %s", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// Set puts a new key at path, which is for the upstream alone, and returns the key. Placement may be empty.
func (k *Kit) Set(ctx context.Context, path, placement string) (key string, err error) {
	key = canary(path)
	args := []string{"set", path, "--host", k.Upstream.URL, "--network", "127.0.0.0/8"}
	if placement != "" {
		args = append(args, "--placement", placement)
	}
	_, err = k.Keyward(ctx, key, args...)
	k.Upstream.keys[path] = key
	return key, err
}

// Token issues a token for agent.
func (k *Kit) Token(ctx context.Context, agent string, scopes ...string) (string, error) {
	args := []string{"token", "issue", "--agent", agent, "--ttl", "10m"}
	for _, s := range scopes {
		args = append(args, "--scope", s)
	}
	return k.Keyward(ctx, "", args...)
}

// serve starts keyward serve, and returns when it accepts connections.
func (k *Kit) serve(ctx context.Context, flags []string) error {
	k.flags = flags
	k.server = exec.CommandContext(ctx, k.Binary, append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)...)
	k.server.Env = k.Env()
	k.server.Cancel = func() error { return k.server.Process.Signal(syscall.SIGTERM) }
	stderr, err := k.server.StderrPipe()
	if err != nil {
		return err
	}
	if err := k.server.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			k.URL = url
			go func() { _, _ = io.Copy(os.Stderr, stderr) }() // ends with the server
			return nil
		}
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	return errors.Join(errors.New("keyward serve did not begin to listen"), k.server.Wait())
}

// ServerPID is the process id of keyward serve.
func (k *Kit) ServerPID() int { return k.server.Process.Pid }

// Restart starts keyward serve again, at another URL, once a worker has killed it.
func (k *Kit) Restart(ctx context.Context) error {
	_ = k.server.Wait() // it was killed
	return k.serve(ctx, k.flags)
}

// close ends what the group has started.
func (k *Kit) close() error {
	for _, w := range k.workers {
		w.stop()
	}
	_ = k.server.Process.Signal(syscall.SIGTERM) // Wait says if it was gone before
	err := k.server.Wait()
	k.Upstream.Close()
	if err != nil {
		err = fmt.Errorf("keyward serve: %w", err)
	}
	return err
}
