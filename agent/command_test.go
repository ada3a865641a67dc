// SPDX-License-Identifier: Apache-2.0

package agent_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"
)

func sh(t *testing.T, script string) agent.Command {
	t.Helper()
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Skipf("no shell: %v", err)
	}
	return agent.Command{Program: path, Args: []string{"-c", script}, Secrets: map[string]string{"KEY": search}, Reason: "a test"}
}

func TestCommand(t *testing.T) {
	v := open(t)
	t.Setenv("ORCHESTRATOR_KEY", "not for children")
	a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
	c := sh(t, `test "$KEY" = "`+canary+`" && echo "have $KEY, and [$ORCHESTRATOR_KEY]" && echo "error $KEY" >&2`)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := a.Output(t.Context(), c)
	if err != nil || string(out) != "have [redacted], and []\n" || stderr.String() != "error [redacted]\n" {
		t.Errorf("%q, %q, %v", out, stderr.String(), err)
	}
	if r := last(t, v); r.Op != "use" || r.Outcome != audit.Granted || r.Path != search || r.Reason != "a test" || r.Agent != "researcher" {
		t.Errorf("recorded as %+v", r)
	}

	var exit *exec.ExitError
	if err := a.Run(t.Context(), sh(t, "exit 3")); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("exit 3: %v", err)
	}
	c = sh(t, "echo ran")
	c.Secrets["OTHER"] = other
	if out, err := a.Output(t.Context(), c); len(out) != 0 || !errors.Is(err, vault.ErrDenied) {
		t.Errorf("a path out of scope: %q, %v", out, err)
	}
	c = sh(t, "echo ran")
	c.Secrets["A=B"] = search
	if out, err := a.Output(t.Context(), c); len(out) != 0 || !errors.Is(err, vault.ErrInvalid) {
		t.Errorf("a variable with = in its name: %q, %v", out, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := a.Output(ctx, sh(t, "echo ran")); len(out) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %q, %v", out, err)
	}
	if out, err := a.Output(t.Context(), sh(t, "yes | head -c 20000000")); len(out) > 16<<20 || err == nil {
		t.Errorf("20 MB of output: %d bytes, %v", len(out), err)
	}
}

// A secret with hosts is for these hosts: no program gets it.
func TestCommandTakesNoSecretWithHosts(t *testing.T) {
	v := open(t)
	upstream(t, v, search, "", nil)
	a := newAgent(t, v, "researcher", "secrets:read:*")
	if out, err := a.Output(t.Context(), sh(t, "echo ran")); len(out) != 0 || !errors.Is(err, vault.ErrDenied) || !strings.HasPrefix(err.Error(), "agent: a program takes only secrets of paths without hosts") {
		t.Errorf("%q, %v", out, err)
	}
	vaulttest.Refused(t, v, "researcher", search)
}

// One writer for both is written to by one goroutine, as package os/exec has it; the race detector looks.
func TestCommandOneWriter(t *testing.T) {
	v := open(t)
	a := newAgent(t, v, "researcher", "secrets:use:production/search/*")
	c := sh(t, `for i in 1 2 3 4 5 6 7 8; do echo "out $KEY"; echo "err $KEY" >&2; done`)
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	if err := a.Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("out [redacted]\nerr [redacted]\n", 8); both.String() != want {
		t.Errorf("%q", both.String())
	}
}
