// SPDX-License-Identifier: Apache-2.0

package fuzz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// target is one fuzz target.
type target struct {
	pkg, dir, name string

	execs, found int
	took         time.Duration
}

func (t *target) String() string { return path.Base(t.pkg) + "." + t.name }

// speed is executions a second.
func (t *target) speed() float64 { return float64(t.execs) / max(t.took.Seconds(), 0.001) }

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(\w+ \*testing\.F\)`)

// list finds the targets of every module of the workspace. The source says where they are: to ask each test binary takes
// longer than the short form.
func list(ctx context.Context, goTool string, bug bool) (targets []*target, err error) {
	args := []string{"list", "-json=Dir,ImportPath,TestGoFiles,XTestGoFiles", "work"}
	if bug {
		args = []string{"list", "-json=Dir,ImportPath,TestGoFiles,XTestGoFiles", "-tags=" + bugTag, "github.com/keyward-go/keyward/harness/fuzz/seeded"}
	}
	text, err := output(ctx, goTool, args...)
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var p struct {
			Dir, ImportPath           string
			TestGoFiles, XTestGoFiles []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		for _, name := range append(p.TestGoFiles, p.XTestGoFiles...) {
			source, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			for _, m := range fuzzFunc.FindAllSubmatch(source, -1) {
				targets = append(targets, &target{pkg: p.ImportPath, dir: p.Dir, name: string(m[1])})
			}
		}
	}
	if len(targets) == 0 {
		return nil, errors.New("no fuzz target was found: run this inside of the repository")
	}
	return targets, nil
}

// output is what the go command printed.
func output(ctx context.Context, goTool string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, goTool, args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	text, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return string(text), err
}
