// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/backend/sqlite"
	"github.com/keyward-go/keyward/vault"
)

const (
	childRole       = "KEYWARD_TEST_CHILD"
	childDir        = "KEYWARD_TEST_DIR"
	childGoroutines = "KEYWARD_TEST_GOROUTINES"
)

// TestMain runs this binary again as another process on the same vault. A child reads a token from its first line of input,
// says "ready", and then does what its role says at each further line.
func TestMain(m *testing.M) {
	role := os.Getenv(childRole)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := child(role); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// openDir opens the vault in the files of a folder.
func openDir(dir string) (*vault.Vault, error) {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, filepath.Join(dir, "agents.db"))
	if err != nil {
		return nil, err
	}
	return vault.Open(ctx, vault.Config{Store: s, Root: kms.KeyFile(filepath.Join(dir, "root.key"))})
}

func child(role string) error {
	in := bufio.NewScanner(os.Stdin)
	if !in.Scan() {
		return errors.New("no token")
	}
	tok := vault.NewToken(in.Text())
	if role == "panic" {
		return panicChild()
	}
	v, err := openDir(os.Getenv(childDir))
	if err != nil {
		return err
	}
	s := v.Session(tok, noAddr)
	fmt.Println("ready")
	if strings.HasPrefix(role, "follow") {
		return followChild(v, os.Getenv(childDir), role == "follow-early")
	}
	for in.Scan() {
		switch role {
		case "count":
			n, err := strconv.Atoi(os.Getenv(childGoroutines))
			if err != nil {
				return err
			}
			fmt.Println("granted", hammer(n, func(int) bool { return childGet(s) == "ok" }))
		case "get":
			fmt.Println(childGet(s))
		default:
			return errors.New("no such role")
		}
	}
	return v.Close()
}

// childGet says in a word what came of a Get. What is neither a grant nor a dead token stops the process.
func childGet(s *vault.Session) string {
	value, _, err := getPath(s, bedPath)
	switch {
	case err == nil && value == "value":
		return "ok"
	case errors.Is(err, vault.ErrDeadToken) && value == "":
		return "dead"
	case errors.Is(err, vault.ErrDenied) && value == "":
		return "denied"
	}
	fmt.Println("error:", err)
	os.Exit(1)
	return ""
}

// panicChild opens a vault on a store that panics.
func panicChild() error {
	w, err := seedWrapper(1)
	if err != nil {
		return err
	}
	p := &tap{Store: memory.New()}
	ctx := context.Background()
	v, err := vault.Open(ctx, vault.Config{Store: p, Root: kms.Wrapper(w)})
	if err != nil {
		return err
	}
	op := v.Operator("keeper")
	if _, err := op.Put(ctx, vault.Item{Path: bedPath, Value: vault.NewSecret("value")}); err != nil {
		return err
	}
	p.atUpdate(func(func() error) error { p.atUpdate(nil); panic("a store of a user's own") })
	if _, _, err := getPath(op, bedPath); !errors.Is(err, vault.ErrNotRecorded) {
		return fmt.Errorf("Get over a panic: %w", err)
	}
	if _, _, err := getPath(op, bedPath); err != nil {
		return fmt.Errorf("Get behind a panic: %w", err)
	}
	fmt.Println("survived")
	return v.Close()
}

// process is a child.
type process struct {
	t   testing.TB
	cmd *exec.Cmd
	in  *bufio.Writer
	out *bufio.Scanner
	end func() error
}

func startChild(t testing.TB, role, dir string, goroutines int, tok vault.Token) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{childRole + "=" + role, childDir + "=" + dir, childGoroutines + "=" + strconv.Itoa(goroutines), "PATH=/usr/bin", "HOME=" + dir}
	cmd.Stderr = &strings.Builder{}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, in: bufio.NewWriter(in), out: bufio.NewScanner(out)}
	p.end = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended long ago, unless the test failed
	p.send(tok.Reveal())
	return p
}

func (p *process) send(line string) {
	p.t.Helper()
	_, err := p.in.WriteString(line + "\n")
	if err = errors.Join(err, p.in.Flush()); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) read() string {
	p.t.Helper()
	if !p.out.Scan() {
		_ = p.cmd.Process.Kill()
		p.t.Fatalf("the child said nothing: %v\n%.2000s", p.cmd.Wait(), p.cmd.Stderr)
	}
	return p.out.Text()
}

// ask sends a line and returns the answer.
func (p *process) ask() string {
	p.t.Helper()
	p.send("go")
	return p.read()
}
