// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// built builds the command and makes a vault of n secrets for it. keyward returns the command with its environment.
func built(b *testing.B, n int) (keyward func(args ...string) *exec.Cmd) {
	b.Helper()
	dir := b.TempDir()
	binary := filepath.Join(dir, "keyward")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	keyward = func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(b.Context(), binary, args...)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME=", "XDG_CONFIG_HOME=", "KEYWARD_STORE=", "KEYWARD_ROOT=", "KEYWARD_ANCHOR=", "KEYWARD_TOKEN=")
		return cmd
	}
	var env strings.Builder
	for i := range n {
		fmt.Fprintf(&env, "KEY_%d=value-%d-%032x\n", i, i, i)
	}
	file := filepath.Join(dir, "all.env")
	if err := os.WriteFile(file, []byte(env.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, args := range [][]string{{"init"}, {"import", file, "--under", "production/many"}} {
		if out, err := keyward(args...).CombinedOutput(); err != nil {
			b.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	return keyward
}

// BenchmarkMCPReady is the time from the start of keyward mcp to its answer to the client's first message.
func BenchmarkMCPReady(b *testing.B) {
	keyward := built(b, 1000)
	token, err := keyward("token", "issue", "--agent", "researcher", "--scope", "secrets:use:production/*").Output()
	if err != nil {
		b.Fatal(err)
	}
	const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"b","version":"0"}}}`
	var times []time.Duration
	for b.Loop() {
		cmd := keyward("mcp")
		cmd.Env = append(cmd.Env, "KEYWARD_TOKEN="+string(token))
		in, _ := cmd.StdinPipe()
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(in, hello+"\n"); err != nil {
			b.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, `"result"`) {
			b.Fatalf("%q, %v", line, err)
		}
		times = append(times, time.Since(start))
		_ = in.Close()
		_ = cmd.Wait()
	}
	slices.Sort(times)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1e3, "ready-p50-ms")
	b.ReportMetric(float64(times[len(times)-1].Microseconds())/1e3, "ready-max-ms")
}

// BenchmarkServeIdle is the memory of keyward serve, with 10,000 secrets and nothing to do.
func BenchmarkServeIdle(b *testing.B) {
	keyward := built(b, 10_000)
	for b.Loop() {
		cmd := keyward("serve", "--listen", "127.0.0.1:0")
		said, err := cmd.StderrPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "listening") {
			b.Fatalf("%q, %v", line, err)
		}
		time.Sleep(time.Second) // whatever is to settle
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil {
			b.Skip("this system does not tell the memory of a process:", err)
		}
		_, after, _ := strings.Cut(string(status), "VmRSS:")
		var kib float64
		if _, err := fmt.Sscanf(after, "%f kB", &kib); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(kib/1024, "resident-MiB")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	b.ReportMetric(0, "ns/op")
}
