// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/keyward-go/keyward/harness/internal/kit"
)

// bench builds test binaries and runs them.
type bench struct {
	run    *kit.Run
	goTool string
	cache  string
	done   int // executions
}

func (b *bench) binary(t *target) string {
	return filepath.Join(b.run.Dir, strings.ReplaceAll(t.pkg, "/", "_")+".test")
}

// build makes the test binary of each package, as go test -fuzz does.
func (b *bench) build(ctx context.Context, targets []*target) error {
	built := map[string]bool{}
	for _, t := range targets {
		if built[t.pkg] {
			continue
		}
		built[t.pkg] = true
		args := []string{"test", "-c", "-fuzz=.", "-o", b.binary(t)}
		if b.run.Bug {
			args = append(args, "-tags="+bugTag)
		}
		if _, err := output(ctx, b.goTool, append(args, t.pkg)...); err != nil {
			return err
		}
	}
	return nil
}

// fuzz runs a target for n executions. A Violation has what the target said.
func (b *bench) fuzz(ctx context.Context, t *target, n int) error {
	cmd := exec.CommandContext(ctx, b.binary(t), "-test.run=^$", "-test.fuzz=^"+t.name+"$", fmt.Sprintf("-test.fuzztime=%dx", n),
		"-test.fuzzminimizetime=100x", "-test.timeout=0", "-test.fuzzcachedir="+filepath.Join(b.cache, filepath.FromSlash(t.pkg)))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it has workers
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir = t.dir
	if b.run.Bug {
		cmd.Dir = b.run.Dir // where it leaves what it finds
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	seen, said := b.follow(out)
	err = cmd.Wait()
	t.execs, t.found, t.took = t.execs+seen.execs, t.found+seen.found, t.took+seen.took
	b.done += seen.execs
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && strings.Contains(said, "--- FAIL"):
		return kit.Violationf("%s after %d executions: %s", t, t.execs, said)
	case err != nil:
		return fmt.Errorf("%s: %w: %s", t, err, said)
	case seen.execs < n:
		return fmt.Errorf("%s made %d of %d executions", t, seen.execs, n)
	}
	return nil
}

// progress is what a target said last.
type progress struct {
	execs, found int
	took         time.Duration
}

var progressLine = regexp.MustCompile(`^fuzz: elapsed: .*, execs: (\d+) .*new interesting: (\d+)`)

// follow reads what a target says, up to its end. said is all but progress.
func (b *bench) follow(out io.Reader) (p progress, said string) {
	var rest []string
	begun := time.Time{}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimSpace(line)
		if m := progressLine.FindStringSubmatch(line); m != nil {
			p.execs, _ = strconv.Atoi(m[1])
			p.found, _ = strconv.Atoi(m[2])
			b.run.Progress(b.done + p.execs)
		} else if line != "" && !strings.HasPrefix(line, "fuzz: ") && len(rest) < 12 {
			rest = append(rest, line)
		}
		if strings.Contains(line, "now fuzzing") {
			begun = time.Now()
		}
		if err != nil {
			if !begun.IsZero() {
				p.took = time.Since(begun)
			}
			if !errors.Is(err, io.EOF) {
				rest = append(rest, err.Error())
			}
			return p, strings.Join(rest, "; ")
		}
	}
}
