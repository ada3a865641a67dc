// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestWrongUsage: what was typed wrong is exit code 2, and is shown again only where it cannot be a value.
func TestWrongUsage(t *testing.T) {
	newTerminal(t).play(`
		$ keyward audti list
		! ^keyward: there is no command audti: do you mean audit\?\n  keyward --help lists them\n$
		? 2
		$ keyward $canary
		! ^keyward: there is no such command\n
		? 2
		$ keyward token isue
		! there is no command isue: do you mean issue\?\n  keyward token --help
		? 2
		$ keyward help nope
		! there is no command nope
		? 2
		$ keyward help token nope
		! there is no command nope
		? 2
		$ keyward help token issue
		> --scope SCOPE
		$ keyward completion tcsh
		! there is no command tcsh
		? 2
		$ keyward completion bash extra
		? 2
		$ keyward serve --tls-cert x
		! ^keyward: --tls-cert needs --tls-key too\n$
		? 2
		$ keyward serve foo
		! ^keyward: keyward serve takes flags, and no arguments\n  see keyward serve --help\n$
		? 2
	`)
}

// TestNoZero: a zero that was said is not taken for a flag that was left out.
func TestNoZero(t *testing.T) {
	newTerminal(t).play(`
		$ keyward init
		$ keyward set a/b < $canary
		$ keyward delete a/b --version 0
		! the value of --version: a number from 1 on
		? 2
		$ keyward destroy a/b --version 0 --yes
		? 2
		$ keyward get a/b --version 0
		? 2
		$ keyward get a/b
		= $canary
		$ keyward token issue --agent x --scope secrets:use:a/b --uses 0
		! the value of --uses: a number from 1 on
		? 2
		$ keyward token issue --agent x --scope secrets:use:a/b --ttl 0s
		? 2
		$ keyward agent create x --scope secrets:use:a/b --uses 0
		? 2
		$ keyward agent create x --scope secrets:use:a/b --expires 0d
		? 2
		$ keyward policy set a/b --expires 0001-01-01
		! a time is like
		? 2
		$ keyward audit list --limit 0
		? 2
		$ keyward audit list --by ''
		! --by is of
		? 2
		$ keyward audit list --since 0001-01-01
		? 2
	`)
}

// TestJSON: --json is where it does something, and says in which form.
func TestJSON(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init
		$ keyward freeze agent x --json
		! there is no flag --json; see keyward freeze --help
		? 2
		$ keyward key --json
		? 2
		$ keyward checkpoint --json
		? 2
		$ keyward backup --json -o $DIR/b
		? 2
		$ keyward list --help
		> --json +print a JSON array of objects
		$ keyward audit list --help
		> --json +print JSON lines, a record each
		$ keyward list --json
		= []
		$ keyward get nope --json
		! ^keyward: get nope: not found\n  keyward list shows the paths
		? 4
		$ keyward --help
		> Exit codes: 0 done, 1 failed, 2 wrong usage(.|\n)*126(.|\n)*with --json too
	`)
	all := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Flags().Lookup("json") != nil {
			all++
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(&app{}))
	if all != len(jsonForms) {
		t.Errorf("%d commands of %d have the flag", all, len(jsonForms))
	}
}

func TestVersion(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward version
		> ^keyward \S+, go1\.\S+, \w+/\w+\n$
	`)
	flag, _, code := s.run(false, "", "keyward", "--version")
	if command, _, _ := s.run(false, "", "keyward", "version"); code != 0 || flag != command {
		t.Errorf("%q and %q", flag, command)
	}
}

// TestCompletion: fixed words are completed, files only where one is meant, and no vault is opened.
func TestCompletion(t *testing.T) {
	newTerminal(t).play(`
		$ keyward __complete get ''
		> ^:4\n$
		$ keyward __complete token revoke ''
		> ^:4\n$
		$ keyward __complete audit list --outcome ''
		> ^granted\ndenied\nfailed\n:4\n$
		$ keyward __complete audit list --op fre
		> \nfreeze\n(.|\n)*:4\n$
		$ keyward __complete audit list --by agent,ho
		> \nagent,host\n(.|\n)*:6\n$
		$ keyward __complete policy set a/b --tier ''
		> ^standard\n
		$ keyward __complete set a/b --type ''
		> ^api_key\n
		$ keyward __complete get --reason ''
		> ^:4\n$
		$ keyward __complete set a/b --file ''
		> ^:0\n$
		$ keyward __complete restore ''
		> ^:0\n$
		$ keyward __complete freeze ''
		> \npath\nagent\n
		$ keyward completion fish
		> complete -c keyward
	`)
}

// TestOperations: --op takes what the vault records, and nothing else.
func TestOperations(t *testing.T) {
	text, err := os.ReadFile("../../vault/door.go")
	if err != nil {
		t.Fatal(err)
	}
	var recorded []string
	for _, m := range regexp.MustCompile(`&operation\{name: "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
		recorded = append(recorded, m[1])
	}
	slices.Sort(recorded)
	known := slices.Sorted(slices.Values(operations))
	if recorded = slices.Compact(recorded); !slices.Equal(known, recorded) {
		t.Errorf("--op takes %s, and recorded is %s", strings.Join(known, " "), strings.Join(recorded, " "))
	}
}
