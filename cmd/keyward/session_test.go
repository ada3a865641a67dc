// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBegin(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward
		> To begin:\n\n  keyward init(.|\n)*\n  Begin: +init\n  Secrets: +set, get, list, versions, policy, delete, import, export\n  Agents: +token, run
		$ keyward --help
		> Begin:\n  init .*\n\nSecrets:\n  set .*\n  get
		$ keyward frobnicate
		? 2
		$ keyward list
		! there is no vault at .*/home/.local/share/keyward/vault.db\n  keyward init makes one
		? 4
		tty$ keyward set a/b < $canary
		! ^keyward: there is no vault
		? 4

		$ keyward init
		> ^keyward/[0-9a-f]{32}\+[0-9a-f]{8}\+\S+\n$
		! A new vault is at .*/vault.db\nIts root key is in .*/home/.config/keyward/root.key\n  Keep a copy
		! Next: keyward set
		$ keyward init
		! there is a vault at .* already
		? 1
		$ keyward list
		= 
		! none
		$ keyward list --json
		= []

		$ keyward init --store $DIR/a/b.db --root file:$DIR/a/root.key
		! must not lie in the folder of the vault
		? 2
		$ keyward init --store file:$DIR/a/b.kw --root file:$DIR/c/root.key --json
		> "log_key": "keyward/
		$ keyward list --store file:$DIR/a/b.kw --root file:$DIR/c/none.key
		! no root key
		! has to come back from your copy
		? 1
		$ keyward list --store file:$DIR/a/b.kw
		! wrong root key
		! nothing was changed
		? 1
		$ KEYWARD_STORE=file:$DIR/a/b.kw KEYWARD_ROOT=file:$DIR/c/root.key keyward list
		! none
		$ keyward init --store $DIR/second/b.db --root file:$DIR/c/root.key
		! Its root key is the one that was in .*/c/root.key already: who has that opens this vault and every other
		$ keyward list --store ''
		! the value of --store: it is empty
		? 2
		$ keyward list --root=
		! the value of --root: it is empty
		? 2
		$ keyward list --anchor ''
		! the value of --anchor: it is empty
		? 2
		$ keyward list --root $DIR/c/root.key
		! --root: file:PATH or passphrase
		? 2
	`)
	for _, dir := range []string{".local/share/keyward", ".config/keyward"} {
		if info, err := os.Stat(filepath.Join(s.vars["HOME"], dir)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.vars["DIR"], "a", "b.db")); err == nil {
		t.Error("the init that was refused has made a store")
	}
}

// TestLeakedOwn: whose knows keyward's own credentials, which are in no version.
func TestLeakedOwn(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init
		$ TOKEN=$(keyward token issue --agent researcher --scope 'secrets:read:*')
		$ KEY=$(keyward agent create nightly --scope secrets:read:a/b)
		$ KEYED=$(KEYWARD_TOKEN=$KEY keyward token issue --scope secrets:read:a/b)
		$ OP=$(keyward operator create alice)
		$ keyward whose < $TOKEN
		=
		! ^this is a token of keyward itself: ([0-9a-f]{32})\n  keyward token revoke [0-9a-f]{32} --reason leaked\n  ends it
		? 0
		$ keyward whose < export KEYWARD_TOKEN="$KEYED" # $TOKEN
		! keyward token revoke key:[0-9a-f]{32}.[0-9a-f]{32} --reason(.|\n)*keyward token revoke [0-9a-f]{32} --reason
		$ keyward whose < $KEY
		! ^this is an agent key of keyward itself: (key:[0-9a-f]{32})\n  keyward agent revoke key:[0-9a-f]{32} --reason leaked
		$ keyward whose < $OP
		! ^this is an operator's credential of keyward itself: (key:[0-9a-f]{32})\n  keyward operator revoke key:
		$ keyward whose --json < $OP
		= []
		$ keyward whose < kw_tok_cut
		! a token of keyward itself, but not one that is known here\n  it is another vault's(.|\n)*keyward token revoke ID
		? 4
		$ keyward set a/other < kw_agent_others
		$ keyward whose < kw_agent_others
		> a/other
	`)
	for _, name := range []string{"TOKEN", "KEY", "OP"} {
		_, said, _ := s.run(false, s.vars[name], "keyward", "whose")
		line := strings.Split(said, "\n")[1]
		if _, text, code := s.run(false, "", s.words(line)...); code != exitOK {
			t.Errorf("%s ends with %d: %s", line, code, text)
		}
		if strings.Contains(said, s.vars[name]) {
			t.Errorf("%s is printed", name)
		}
		if _, said, code := s.run(false, "", "KEYWARD_TOKEN="+s.vars[name], "keyward", "get", "a/other"); code != exitDenied {
			t.Errorf("%s lives on: %d, %s", name, code, said)
		}
	}
}

// TestStoreKinds: a place that is mistyped is told from a store, and makes no file. Where a store was it stays an alarm.
func TestStoreKinds(t *testing.T) {
	s := newTerminal(t)
	s.file("notes.txt", "some text that is longer than the magic number\n")
	s.file("short.txt", "x")
	s.file("gone.db", "some text in the place of a store\n")
	s.file("gone.db-head", "the head file of that store\n")
	s.play(`
		$ keyward init
		$ keyward init --store file:$DIR/text/v.kw
		$ keyward list --store $DIR/text/v.kw
		! v.kw is not a SQLite vault, but may be a vault in a text file: then --store file:/.*/v.kw opens it\n  if it was
		? 5
		$ keyward list --store file:$HOME/.local/share/keyward/vault.db
		! is not a vault in a text file, but may be a SQLite vault: then --store sqlite:/.*/vault.db opens it\n  if it was
		? 5
		$ keyward list --store $DIR/notes.txt
		! ^keyward: /.*/notes.txt is not a SQLite vault, but another file: --store or KEYWARD_STORE names another place\n$
		? 2
		$ keyward doctor --store $DIR/short.txt
		? 2
		$ keyward init --store $DIR/notes.txt
		! another file
		? 2
		$ keyward restore $DIR/short.txt --store file:$DIR/notes.txt
		! another file
		? 2
		$ keyward set a/b --store file:$DIR/notes.txt < x
		! another file
		? 2
		$ keyward list --store $DIR/gone.db
		? 5

		$ keyward list --store postgres://host/db
		! --store: sqlite:PATH, file:PATH or a path; one that .* is written ./WORD:
		? 2
		$ KEYWARD_STORE=sqlite3:$DIR/b.db keyward list
		! --store: sqlite:PATH
		? 2
		$ keyward list --store sqlite:
		! --store: the path is missing
		? 2
		$ keyward list --store ./none:b.db
		! there is no vault at .*/none:b.db
		? 4
		$ keyward list --store $DIR/none:b.db
		? 4
	`)
	for _, name := range []string{"notes.txt-lock", "notes.txt-head", "short.txt-lock"} {
		if s.exists(filepath.Join(s.vars["DIR"], name)) {
			t.Errorf("%s was made", name)
		}
	}
}

func TestPassphrase(t *testing.T) {
	newTerminal(t).play(`
		tty$ keyward init --root passphrase < six-random-words-here six-random-words-there
		! passphrase of the vault: \nonce more: \n
		! not the same
		? 2
		tty$ keyward init --root passphrase < six-random-words-here
		! nothing was typed
		? 2
		tty$ keyward init --root passphrase < six-random-words-here six-random-words-here
		! opens with the passphrase alone
		$ keyward list --root passphrase < six-random-words-here
		! none
		$ keyward list --root passphrase < six-random-words-there
		! wrong root key
		? 1
	`)
}

func TestSetAndGet(t *testing.T) {
	s := newTerminal(t)
	s.file("value", canary+"-file\n")
	s.file("lines", canary+"\nsecond\n")
	s.play(`
		$ keyward init
		$ keyward set production/search/key --host api.tavily.com --type api_key --reason 'first key' < $canary
		! production/search/key is set: version 1
		$ keyward get production/search/key --reason debugging
		= $canary
		$ keyward set production/search/key --file $DIR/value --json
		> "version": 2
		tty$ keyward get production/search/key
		= $canary-file
		$ keyward get production/search/key --version 1 --json
		> "value": "$canary"
		tty$ keyward set production/typed --expires 90d < $canary
		! value of production/typed: \n
		$ keyward get production/typed
		= $canary
		$ keyward set production/lines --file $DIR/lines
		$ keyward get production/lines
		= $canary
		= second
		$ keyward set production/raw --raw --file $DIR/value

		$ keyward set production/search/key $canary
		! a value is no argument
		! --file FILE
		? 2
		$ keyward set production/search/key --value=$canary
		! there is no flag --value
		? 2
		$ keyward set production/search/key -v$canary
		? 2
		$ keyward set production/search/key --expires $canary < x
		! the value of --expires: a time is like
		? 2
		$ keyward get production/search/key --version $canary
		! the value of --version: a number from 1 on
		? 2
		$ keyward set production/empty < 
		! the value is empty
		? 2
		tty$ keyward set production/empty < 
		! value of production/empty: \nkeyward: nothing was typed\n$
		? 2
		$ keyward set ../etc < $canary
		? 2
		$ keyward set production/search/key --host api.example.com < $canary
		! a put can only tighten the policy
		? 3
		$ keyward get production/nothing
		! get production/nothing: not found
		? 4

		$ keyward list 'production/search/*'
		> production/search/key +2 +api_key +standard +api.tavily.com
		$ keyward versions production/search/key
		> key +1 .* first key\n.*key +2
		$ keyward delete production/search/key --version 1 --reason old
		! version 1 of production/search/key is gone
		$ keyward get production/search/key --version 1
		? 4
		$ keyward delete production/lines
		! production/lines is gone
	`)
	s.wantRecord(`"op":"get","operator":"[A-Za-z0-9_-]+",.*"path":"production/search/key",.*"reason":"debugging"`)
	s.wantRecord(`"op":"put",.*"reason":"first key"`)
}

// TestRaw: what get prints is what set has read, to the byte.
func TestRaw(t *testing.T) {
	s := newTerminal(t)
	s.play("$ keyward init")
	for in, want := range map[string]string{
		"x": "x", "x\n": "x", "x\r\n": "x", "x\n\n": "x\n\n", "x\ny\n": "x\ny\n", " x ": " x ", "\xff\x00\n": "\xff\x00",
	} {
		s.run(false, in, "keyward", "set", "a/b")
		if got, _, _ := s.run(false, "", "keyward", "get", "a/b"); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
		s.run(false, in, "keyward", "set", "a/b", "--raw")
		if got, _, _ := s.run(false, "", "keyward", "get", "a/b"); got != in {
			t.Errorf("raw %q is %q", in, got)
		}
	}
	s.run(false, "\x1b]0;x", "keyward", "set", "a/b")
	s.play(`
		tty$ keyward get a/b
		= 
		! a terminal obeys
		? 2
		$ keyward set a/c < x
		$ keyward get a/c --json
		> "value": "x"
	`)
	if _, _, code := s.run(false, strings.Repeat("x", 1<<20), "keyward", "set", "a/long"); code != 0 {
		t.Error("1 MiB is refused")
	}
	if _, text, code := s.run(false, strings.Repeat("x", 1<<20+1), "keyward", "set", "a/long"); code != 2 {
		t.Errorf("more than 1 MiB: %d, %s", code, text)
	}
}

func TestPolicy(t *testing.T) {
	newTerminal(t).play(`
		$ keyward init
		$ keyward policy set production/wiki --host http://wiki.internal:8080 --network 10.0.0.0/8 --network 127.0.0.1 --placement header:X-Api-Key
		! the policy of production/wiki is set
		$ keyward policy show production/wiki
		! a policy is shown once there is a value
		? 4
		$ keyward set production/wiki < $canary
		$ keyward set production/bare < $canary
		$ keyward policy show production/bare
		> - +standard +- 
		$ keyward list production/bare --json
		> "tier": "standard"
		$ keyward policy show production/wiki
		> http://wiki.internal:8080 +10.0.0.0/8 127.0.0.1/32 +header:X-Api-Key
		$ keyward policy set production/wiki
		! or by --none that
		? 2
		$ keyward policy set production/wiki --none
		$ keyward policy show production/wiki --json
		> "tier": "standard"
		$ keyward policy set production/wiki --host *.example.com
		? 2
		$ keyward policy set production/wiki --network everywhere
		! a network is like
		? 2
		$ keyward policy show 'production/*'
		? 2
		$ keyward policy
		> show +Show the policy
		$ keyward policy frobnicate
		? 2
	`)
}

func TestLeak(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init
		$ keyward set production/search/key < $canary
		$ keyward set staging/key < $canary
		$ keyward delete staging/key
		$ keyward whose < $canary
		> production/search/key +1 (.|\n)*staging/key +1
		tty$ keyward whose < $canary
		> production/search/key
		$ keyward whose < another
		! no version has this value\n  give the value alone, without the line around it\n$
		? 4
		$ keyward whose < export KEY="$canary" # of search
		! a part of it is
		> production/search/key
		$ keyward whose $canary
		! a value is no argument(.|\n)*keyward whose --file FILE
		? 2
		$ TOKEN=$(keyward token issue --agent researcher --scope 'secrets:read:production/*')
		$ keyward freeze agent researcher --reason 'reads too much'
		! agent researcher is frozen
		$ keyward freeze list
		> agent +researcher
		$ keyward freeze list --json
		> "kind": "agent"
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		? 3
		$ keyward get production/search/key
		= $canary
		$ keyward thaw agent researcher
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		= $canary
		$ keyward thaw agent researcher
		? 4
		$ keyward freeze planet mars
		! kind is path, agent, run, user or tenant
		? 2
		$ keyward freeze agent
		? 2
	`)
	s.wantRecord(`"op":"freeze",.*"reason":"reads too much"`)
	s.wantRecord(`"outcome":"denied","cause":"frozen"`)
}
