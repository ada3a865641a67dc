// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The test binary is also the command, and as much of curl as README.md uses.
func TestMain(m *testing.M) {
	switch os.Getenv("KEYWARD_TEST_AS") {
	case "keyward":
		main()
	case "curl":
		if err := curl(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(22)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// curl asks for a URL, behind an -H @- for a header from the standard input. A server that does not listen yet is waited for.
func curl(args []string) error {
	req, err := http.NewRequestWithContext(context.Background(), "GET", args[len(args)-1], nil)
	if err != nil {
		return err
	}
	header, err := io.ReadAll(os.Stdin)
	if err != nil || args[0] != "-H" || args[1] != "@-" {
		return fmt.Errorf("curl: %q: %w", args, err)
	}
	name, value, _ := strings.Cut(strings.TrimSpace(string(header)), ": ")
	req.Header.Set(name, value)
	resp, err := http.DefaultClient.Do(req)
	for deadline := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(deadline); {
		resp, err = http.DefaultClient.Do(req)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

// TestReadmeCommands runs the commands of README.md in a shell, as they stand there: the beginning in under ten of them, and
// then the night of the leak. Only the upstream and the port are others.
func TestReadmeCommands(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh on this machine to run the commands in:", err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var begin, leak string
	for _, m := range regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllStringSubmatch(string(readme), -1) {
		switch {
		case strings.Contains(m[1], "keyward init"):
			begin = m[1]
		case strings.Contains(m[1], "keyward whose"):
			leak = m[1]
		}
	}
	if n := strings.Count(begin, "\n"); n == 0 || n >= 10 || leak == "" {
		t.Fatalf("README.md has %d commands to begin with, and for a leak: %q", n, leak)
	}

	const key, next = canary + "-old", canary + "-new"
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "models for %s of %s\n", r.Header.Get("Authorization"), r.URL.Path)
		if r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("the upstream was sent %q", r.Header.Get("Authorization"))
		}
	}))
	defer upstream.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()

	dir := t.TempDir()
	for name, text := range map[string]string{"key.txt": key, "leaked.txt": key, "new.txt": next} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := `
keyward() { KEYWARD_TEST_AS=keyward "$EXE" "$@"; }
curl() { KEYWARD_TEST_AS=curl "$EXE" "$@"; }
trap 'kill $!' EXIT
` + begin + leak
	for old, now := range map[string]string{
		"127.0.0.1:7423":        at,
		"keyward serve &":       `KEYWARD_TEST_AS=keyward "$EXE" serve --listen ` + at + " &",
		"--host api.openai.com": "--host " + upstream.URL + " --network 127.0.0.0/8",
	} {
		if !strings.Contains(script, old) {
			t.Fatalf("README.md does not say %q any more", old)
		}
		script = strings.ReplaceAll(script, old, now)
	}
	cmd := exec.CommandContext(t.Context(), sh, "-eu", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+filepath.Join(dir, "home"), "EXE="+exe, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=", "KEYWARD_STORE=", "KEYWARD_ROOT=", "KEYWARD_TOKEN=")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"models for Bearer [redacted] of /v1/models", "production/openai/api-key", "researcher", "frozen", "thawed"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("nothing says %q", want)
		}
	}
	if strings.Contains(string(out), canary) {
		t.Error("a value was shown")
	}
}
