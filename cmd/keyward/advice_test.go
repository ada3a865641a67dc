// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// goName is what a person at a terminal cannot type.
var goName = regexp.MustCompile(`\b(vault|kms|sqlite)\.[A-Z]\w*|backend/\w+|\b(Policy|Request|Config|Grant)\.[A-Z]\w*|` +
	`\b(SetPolicy|ResetClock|RotateKeys|SetRoot)\b|Claims and Tokens|needs Networks|Restore needs|call Restore|with Compromised`)

// TestPolicyWarnings: what can never work is said at once, and by doctor.
func TestPolicyWarnings(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init
		$ keyward set a/public --host api.tavily.com < $canary
		! ^a/public is set: version 1\n$
		$ keyward set a/none < $canary
		! For HTTP it needs a host.*keyward policy set a/none --host HOST
		$ keyward set a/none < $canary
		! ^a/none is set: version 2\n$
		$ keyward set a/ssh --type ssh_key < $canary
		! ^a/ssh is set: version 1\n$
		$ keyward set a/private --host 10.0.0.7:8443 < $canary
		! warning: a/private: 10.0.0.7 is not in the networks.*\n  keyward policy set a/private --network 10.0.0.7
		$ keyward set a/private --host 10.0.0.7:8443 < $canary
		! warning: a/private: 10.0.0.7
		$ keyward policy set a/private --network 10.0.0.0/8
		! ^the policy of a/private is set; as before: host .*\n$
		$ keyward set a/private --host 10.0.0.7:8443 < $canary
		! ^a/private is set: version 3\n$
		$ keyward policy set a/local --host localhost:8443
		! warning: a/local: localhost is not in
		$ keyward policy set a/six --host [fd00::7]
		! --network fd00::7
		$ keyward set a/claude --host api.anthropic.com < $canary
		! warning: a/claude: .*\n  keyward policy set a/claude --placement header:X-Api-Key
		$ keyward policy set a/claude --placement header:X-Api-Key
		! ^the policy of a/claude is set; as before: host \(
		$ keyward set a/tier --tier critical --host api.tavily.com < $canary
		! warning: a/tier: the tier critical refuses every token
		$ keyward set a/past --expires 2020-01-31 < $canary
		! --expires: 2020-01-31 00:00Z has passed
		? 2
		$ keyward policy set a/past --expires 2020-01-31
		? 2
		$ keyward doctor
		> warning +secrets +a/tier: the tier critical
	`)
}

// TestPolicyKept: what no flag names stays.
func TestPolicyKept(t *testing.T) {
	newTerminal(t).play(`
		$ keyward init
		$ keyward set a/b --type api_key --expires 90d --network 10.0.0.0/8 --placement query:key < $canary
		$ keyward policy set a/b --host http://10.0.0.7
		! as before: network, placement, type, expires \(
		$ keyward policy show a/b
		> api_key +standard +http://10.0.0.7 +10.0.0.0/8 +query:key +20
		$ keyward policy set a/b --none --host api.example.com
		! ^the policy of a/b is set\n$
		$ keyward policy show a/b
		> - +standard +api.example.com +- +- +-
	`)
}

// TestRunCauses: only a path with hosts is told that it has hosts.
func TestRunCauses(t *testing.T) {
	newTerminal(t).play(`
		$ keyward init
		$ keyward set a/hosts --host api.tavily.com < $canary
		$ keyward set a/tier --tier critical < $canary
		$ keyward run --env P=a/hosts -- true
		! a path with hosts may go to these alone
		? 3
		$ TOKEN=$(keyward token issue --agent worker --scope 'secrets:use:a/*')
		$ KEYWARD_TOKEN=$TOKEN keyward run --env P=a/tier -- true
		! ^keyward: use a/tier: denied: the tier of the path needs an approval\n$
		? 3
		$ KEYWARD_TOKEN=$TOKEN keyward run --env P=b/other -- true
		! ^keyward: use b/other: denied\n  what KEYWARD_TOKEN holds may not do this there.*\n  an operator finds the cause with keyward audit list --outcome denied\n$
		? 3
	`)
}

// TestInCommands: the texts that sessions do not reach say what to type, too.
func TestInCommands(t *testing.T) {
	a := &app{getenv: func(string) string { return "" }}
	for text, want := range map[string]string{
		"the path has no hosts, so it is not for HTTP; an operator sets Policy.Hosts with SetPolicy":                  "keyward policy set PATH --host HOST",
		"the path has expired; an operator puts a later expiry with SetPolicy":                                        "--expires TIME",
		"set it, or if the record is wrong undo it with ResetClock":                                                   "keyward reset-clock",
		"64 former keys still wrap values: RotateKeys without Compromised re-wraps them":                              "keyward rotate without",
		"put the store back, or restore from a backup with vault.Restore; to begin":                                   "keyward restore; to begin",
		"or restore from a backup with vault.Restore, which without a backup accepts the store as it is: rolled back": "--accept-rollback",
		"issued a token that lives until then: archive before the one, or after the other":                            "an earlier --before",
		"TTL: at most 24h0m0s, by Config.MaxTTL or the limits of the key":                                             "^--ttl: at most 24h",
		"close that first, or use backend/sqlite, which several may open":                                             "--store sqlite:PATH",
	} {
		got, _ := a.explain(fmt.Errorf("%w: %s", vault.ErrConflict, text))
		got = strings.TrimPrefix(got, "conflict: ")
		if !regexp.MustCompile(want).MatchString(got) || goName.MatchString(got) {
			t.Errorf("%s\n\tis said as %s", text, got)
		}
	}
}

// TestNextSteps: each error says what to do.
func TestNextSteps(t *testing.T) {
	s := newTerminal(t)
	s.file("text", "no backup\n")
	s.play(`
		$ keyward init
		$ HOME= keyward list
		! HOME is not set.*KEYWARD_STORE and KEYWARD_ROOT
		? 2
		$ keyward restore $DIR/text --store $DIR/new/vault.db
		! ^keyward: this file is no backup: keyward backup -o FILE makes one\n$
		? 2
		$ keyward restore $DIR/text --store $DIR/new/vault.db
		? 2
		$ keyward backup -o $DIR/whole
		! ^the backup is in .*/whole; .*\n$
		$ keyward list --anchor sqlite:$HOME/.config/keyward/root.key
		! this is no anchor(.|\n)*\n  --anchor names the store that keyward anchor has made
		? 5
		$ keyward list --anchor file:$HOME/.config/keyward/root.key
		! this is no anchor
		? 5
		$ keyward audit verify --export $DIR/text
		! --key is missing: .*which keyward key prints
		? 2
		$ keyward audit verify --key x
		! are for --export FILE
		? 2
		$ keyward audit verify --export $DIR/text --key keyward/12+ab
		! --key: that is no public key of a log.*keyward key prints
		? 2
		$ keyward audit verify-proof $DIR/text --key keyward/12+ab
		! --key: that is no public key
		? 2
	`)
	if s.exists(s.vars["DIR"] + "/new") {
		t.Error("a restore of no backup has made a folder")
	}
	whole, err := os.ReadFile(s.vars["DIR"] + "/whole")
	if err != nil {
		t.Fatal(err)
	}
	s.file("half", string(whole[:len(whole)-40]))
	key := s.vars["HOME"] + "/.config/keyward/root.key"
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	s.play(`
		$ keyward list
		! the root key is refused: ".*root.key": .* chmod 600 \S+\n$
		? 1
	`)
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	s.play(`
		$ keyward restore $DIR/half --store $DIR/half.d/vault.db
		! this is no whole backup(.|\n)*what it has left at .* is no vault: remove that(.|\n)*use another copy\n$
		? 5
		$ keyward restore $DIR/whole --store $DIR/half.d/vault.db
		! or what a restore has left that did not end: remove that
		? 1
		$ keyward list --store $DIR/half.d/vault.db
		! unfinished restore
		? 1
		$ keyward list
		! none
	`)
	a := &app{getenv: s.value}
	for text, err := range map[string]error{
		"--listen names another address": fmt.Errorf("server: listen tcp 127.0.0.1:7423: bind: %w", syscall.EADDRINUSE),
		"run keyward as the owner":       &os.PathError{Op: "stat", Path: "/srv/x", Err: os.ErrPermission},
	} {
		if got, code := a.explain(err); !strings.Contains(got, text) || code != exitFailure {
			t.Errorf("%v is said as %s, %d", err, got, code)
		}
	}
}

// TestOfAnother: nobody is told first to take another user's file, and root never.
func TestOfAnother(t *testing.T) {
	s := newTerminal(t)
	s.play("$ keyward init")
	if err := os.Chown(s.storeFile("vault.db"), 12345, -1); err != nil {
		t.Skip("this user cannot give files away:", err)
	}
	s.play(`
		$ keyward list
		! vault.db belongs to '#12345'\n  run it as that user: sudo -u '#12345' keyward …\n$
		? 1
	`)
}

// TestProgress: elsewhere than on a terminal there is one line of long work, and nothing above an error.
func TestProgress(t *testing.T) {
	for name, c := range map[string]struct {
		terminal bool
		ago      time.Duration
		err      error
		want     string
	}{
		"short":                {want: ""},
		"long":                 {ago: longWork, want: "lines: 1 of 2\n"},
		"long, and failed":     {ago: longWork, err: errors.New("x"), want: ""},
		"terminal":             {terminal: true, want: "\r\x1b[Klines: 1 of 2\r\x1b[Klines: 1 of 2\n"},
		"terminal, and failed": {terminal: true, err: errors.New("x"), want: "\r\x1b[Klines: 1 of 2\r\x1b[K"},
	} {
		var out strings.Builder
		p := (&app{err: &out, errTerm: c.terminal}).progress("lines")
		p.began = time.Now().Add(-c.ago)
		p.step(1, 2)
		p.end(c.err)
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", name, out.String(), c.want)
		}
	}
}
