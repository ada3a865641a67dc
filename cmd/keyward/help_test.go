// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestExamples: each command has an example, and the examples and the first screen say nothing that does not exist.
func TestExamples(t *testing.T) {
	s := newTerminal(t)
	all := []string{welcome}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Example == "" && c.HasParent() || c.Short == "" {
			t.Errorf("%s has no example, or no short text", c.CommandPath())
		}
		if c.HasParent() && !c.Parent().HasParent() && c.GroupID == "" {
			t.Errorf("%s is in no group", c.CommandPath())
		}
		all = append(all, c.Example, c.Long)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(&app{}))
	command := regexp.MustCompile(`(?m)(?:^  |\$\()(keyward(?: [^|<>\n)]*)?)`)
	n := 0
	for _, m := range command.FindAllStringSubmatch(strings.Join(all, "\n"), -1) {
		line, _, _ := strings.Cut(m[1], " #")
		words := s.words(line)
		cmd, rest, err := newRootCommand(&app{}).Find(words[1:])
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		n++
	}
	if n < 30 {
		t.Errorf("only %d examples were found", n)
	}
}

func TestLogin(t *testing.T) {
	a := &app{getenv: func(string) string { return "" }}
	if name := a.login(); !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(name) {
		t.Errorf("%q is no name", name)
	}
}
