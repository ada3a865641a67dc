// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

// canary is the value that a test looks for where it must not be.
const canary = "canary-5f0c2"

// terminal plays sessions, each command in this process. HOME is a folder of the test; so is $DIR, for files.
type terminal struct {
	t    *testing.T
	vars map[string]string
}

func newTerminal(t *testing.T) *terminal {
	dir := t.TempDir()
	s := &terminal{t, map[string]string{"HOME": filepath.Join(dir, "home"), "DIR": dir, "USER": "tester", "canary": canary}}
	s.t.Cleanup(s.checkStore)
	return s
}

// play plays a session. Its lines are
//
//	$ keyward get a/b          a command; NAME=text in front is for its environment, < text behind is its standard input
//	$ NAME=$(keyward …)        the same, and $NAME is what it printed
//	tty$ keyward get a/b       the same on a terminal, on which the text behind < is typed, a line at a prompt
//	= text                     all that was on the standard output, or a line of it if there are several
//	> regexp                   a part of the standard output
//	! regexp                   a part of the other
//	? 2                        the exit code; 0 if it is not said
//
// The canary may be on the standard output if a line of the session says that it is, and never on the other.
func (s *terminal) play(session string) {
	s.t.Helper()
	var command string
	var wanted []string
	for line := range strings.Lines(session + "\n$") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "$") || strings.HasPrefix(line, "tty$") {
			if command != "" {
				s.step(command, wanted)
			}
			command, wanted = line, nil
		} else if line != "" {
			wanted = append(wanted, line)
		}
	}
}

func (s *terminal) step(line string, wanted []string) {
	s.t.Helper()
	command, tty := strings.CutPrefix(line, "tty")
	command = strings.TrimPrefix(command, "$ ")
	name, inner, assigned := strings.Cut(command, "=$(")
	if assigned {
		command = strings.TrimSuffix(inner, ")")
	}
	command, in, _ := strings.Cut(command+" ", " < ")
	out, errOut, code := s.run(tty, os.Expand(strings.TrimSuffix(in, " "), s.value), s.words(command)...)
	if assigned {
		s.vars[name] = strings.TrimSuffix(out, "\n")
	}
	wantCode, wantCanary, whole := "0", false, []string{}
	for _, w := range wanted {
		kind, text, _ := strings.Cut(w, " ")
		text = os.Expand(text, s.value)
		ok := true
		switch kind {
		case "=":
			whole = append(whole, text)
		case ">":
			ok = regexp.MustCompile(text).MatchString(out)
		case "!":
			ok = regexp.MustCompile(text).MatchString(errOut)
		case "?":
			wantCode = text
		default:
			s.t.Fatalf("what is %q?", w)
		}
		wantCanary = wantCanary || strings.Contains(text, canary)
		if !ok {
			s.t.Errorf("%s\n\tdoes not print %q, but\n%s\n%s", line, w, out, errOut)
		}
	}
	if got := strings.TrimRight(out, " \n"); len(whole) > 0 && got != strings.Join(whole, "\n") {
		s.t.Errorf("%s\n\tprints %q, want %q", line, got, strings.Join(whole, "\n"))
	}
	if fmt.Sprint(code) != wantCode {
		s.t.Errorf("%s\n\tends with %d, want %s:\n%s%s", line, code, wantCode, out, errOut)
	}
	if m := goName.FindString(out + errOut); m != "" {
		s.t.Errorf("%s\n\tspeaks of %s:\n%s%s", line, m, out, errOut)
	}
	if strings.Contains(errOut, canary) || strings.Contains(out, canary) && !wantCanary {
		s.t.Errorf("%s\n\tprints the canary:\n%s%s", line, out, errOut)
	}
}

func (s *terminal) value(name string) string { return s.vars[name] }

// words splits a command line as a shell does, as far as sessions need it.
func (s *terminal) words(line string) (words []string) {
	for _, m := range regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`).FindAllString(line, -1) {
		word := ""
		for _, p := range regexp.MustCompile(`'[^']*'|"[^"]*"|[^'"]+`).FindAllString(m, -1) {
			switch p[0] {
			case '\'':
				word += p[1 : len(p)-1]
			case '"':
				word += os.Expand(p[1:len(p)-1], s.value)
			default:
				word += os.Expand(p, s.value)
			}
		}
		words = append(words, word)
	}
	return words
}

// run runs one command.
func (s *terminal) run(tty bool, in string, words ...string) (out, errOut string, code int) {
	env := maps.Clone(s.vars)
	for len(words) > 0 && words[0] != "keyward" {
		name, value, _ := strings.Cut(words[0], "=")
		env[name], words = value, words[1:]
	}
	var stdout, stderr bytes.Buffer
	typed := strings.Fields(in)
	a := &app{
		in: strings.NewReader(in), out: &stdout, err: &stderr, inTerm: tty, outTerm: tty,
		getenv: func(name string) string { return env[name] },
		env:    func() []string { return []string{"PATH=" + os.Getenv("PATH")} },
		token:  vault.NewToken(env[tokenEnv]),
		ask: func(context.Context) ([]byte, error) {
			if len(typed) == 0 {
				return nil, io.EOF
			}
			line := typed[0]
			typed = typed[1:]
			return []byte(line), nil
		},
	}
	code = execute(context.Background(), a, words[1:])
	return stdout.String(), stderr.String(), code
}

// file writes a file in $DIR.
func (s *terminal) file(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.vars["DIR"], name), []byte(os.Expand(text, s.value)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// checkStore looks for the canary in the files of the vault, and in its log.
func (s *terminal) checkStore() {
	err := filepath.WalkDir(s.vars["HOME"], func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if bytes.Contains(b, []byte(canary)) {
			s.t.Errorf("%s holds the canary", name)
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Error(err)
	}
}

// records returns the log of the vault in HOME.
func (s *terminal) records() (all []audit.Record) {
	s.t.Helper()
	a := &app{getenv: s.value, err: io.Discard}
	ctx := context.Background()
	err := a.withVault(ctx, func(v *vault.Vault) error {
		for r, err := range v.Log().Records(ctx, audit.Filter{}) {
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// wantRecord looks for a record that prints as the regexp says.
func (s *terminal) wantRecord(like string) {
	s.t.Helper()
	re := regexp.MustCompile(like)
	if all := s.records(); !slices.ContainsFunc(all, func(r audit.Record) bool { return re.MatchString(r.String()) }) {
		s.t.Errorf("no record is like %s: %v", like, all)
	}
}
