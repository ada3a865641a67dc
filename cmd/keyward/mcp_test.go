// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// mcp starts keyward mcp as a client of MCP does, has it call get_secret for each path, and returns the answers.
func (s *terminal) mcp(token string, args []string, paths ...string) (answers []string, errOut string) {
	s.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(exe, append([]string{"mcp"}, args...)...)
	cmd.Env = []string{"KEYWARD_TEST_AS=keyward", "HOME=" + s.vars["HOME"], tokenEnv + "=" + token}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	ask := func(text string) (answer string) {
		_, _ = in.Write([]byte(text + "\n")) // an end of the process shows at the read
		answer, _ = lines.ReadString('\n')
		return answer
	}
	ask(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	for _, path := range paths {
		arguments, _ := json.Marshal(map[string]string{"path": path, "reason": "a test"})
		answers = append(answers, ask(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_secret","arguments":`+string(arguments)+`}}`))
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		s.t.Errorf("%q: %v, %s", args, err, stderr.String())
	}
	return answers, stderr.String()
}

func TestMCP(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init --as root
		$ keyward set production/search/key < $canary
		$ keyward set production/blog/key < $canary
		$ TOKEN=$(keyward token issue --agent writer --scope 'secrets:read:production/*')
		$ KEY=$(keyward agent create researcher --scope 'secrets:read:production/*' --ttl 10m)
		$ OP=$(keyward operator create alice --expires 1d)
		$ keyward mcp
		! --agent NAME and --scope SCOPE, or a token in KEYWARD_TOKEN\n  keyward token issue makes one
		? 2
		$ keyward mcp --agent researcher
		? 2
		$ KEYWARD_TOKEN=$OP keyward mcp --agent researcher
		! a grant needs at least one
		? 2
		$ keyward mcp --agent researcher --scope $canary
		! --scope:
		? 2
		$ KEYWARD_TOKEN=nonsense keyward mcp
		! token is not valid
		? 3
		$ KEYWARD_TOKEN=$KEY keyward mcp --scope secrets:read:staging/key
		! denied
		? 3
		$ KEYWARD_TOKEN=$KEY keyward mcp --agent writer
		? 3
	`)
	search := []string{"--scope", "secrets:read:production/search/*"}
	for _, c := range []struct {
		name, token string
		args        []string
		agent       string
		blog        bool // it may read the other path
	}{
		{"a token", s.vars["TOKEN"], nil, "writer", true},
		{"a token, narrowed", s.vars["TOKEN"], append(search, "--agent", "writer/summariser"), "writer/summariser", false},
		{"an agent key", s.vars["KEY"], nil, "researcher", true},
		{"an agent key, narrowed", s.vars["KEY"], append(search, "--agent", "researcher/nightly"), "researcher/nightly", false},
		{"the operator", "", append(search, "--agent", "editor", "--as", "chief"), "editor", false},
		{"a remote operator", s.vars["OP"], append(search, "--agent", "editor2"), "editor2", false},
	} {
		got, errOut := s.mcp(c.token, c.args, "production/search/key", "production/blog/key")
		if !strings.Contains(got[0], canary) || strings.Contains(got[1], canary) != c.blog || strings.Contains(errOut, canary) {
			t.Errorf("%s: %q, %s", c.name, got, errOut)
		}
		s.wantRecord(`"outcome":"granted","op":"get","agent":"` + regexp.QuoteMeta(c.agent) + `"`)
	}
	s.wantRecord(`"op":"issue","operator":"chief".*editor`)
	s.wantRecord(`"op":"issue","operator":"alice".*editor2`)
}

func TestServeFlags(t *testing.T) {
	newTerminal(t).play(`
		$ keyward init
		$ keyward serve --listen unix:$DIR/s --socket-mode 1777
		! permissions in octal, as 0660
		? 2
		$ keyward serve --listen 127.0.0.1:0 --socket-mode 0660
		! a mode and a group are for Unix sockets
		? 2
		$ keyward serve --listen unix:$DIR/s --socket-group no-such-group
		! there is no group
		? 2
		$ keyward serve --listen unix:$HOME/.config/keyward/root.key
		! is there and no socket
		? 2
		$ keyward list
		! none
	`)
}
