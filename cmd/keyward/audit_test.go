// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyward-go/keyward/vault"
)

// spent plays a session after which an agent has read a secret and was refused.
func spent(t *testing.T) *terminal {
	s := newTerminal(t)
	s.play(`
		$ KEY=$(keyward init --as root)
		$ keyward set production/search/key --as root --reason 'first key' < $canary
		$ TOKEN=$(keyward token issue --agent researcher --scope 'secrets:read:production/search/*' --run r1 --user u1)
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key --reason 'to search'
		= $canary
		$ KEYWARD_TOKEN=$TOKEN keyward get production/db/password
		? 3
	`)
	return s
}

func TestAuditList(t *testing.T) {
	spent(t).play(`
		$ keyward audit list
		> ^SEQ  TIME +OUTCOME +OP +WHO +WHAT +MORE\n +0  20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ  granted +create
		> granted +issue +operator:\S+ +[0-9a-f]{8}\n
		> granted +put +operator:root +production/search/key +"first key"\n
		> granted +get +researcher +production/search/key +run r1  user u1  "to search"\n
		> denied:scope +get +researcher +production/db/password
		$ keyward audit list --agent researcher --outcome denied --json
		> ^\{"seq":4,"time":"[^"]*","outcome":"denied","cause":"scope","op":"get","agent":"researcher".*\}\n$
		$ keyward audit list --by agent,outcome --op get
		> ^COUNT  AGENT +OUTCOME\n1 +researcher  denied\n1 +researcher  granted\n$
		$ keyward audit list --by agent,run,user,host,path,outcome --path 'production/*' --json
		> "agent": "researcher",\n +"count": 1
		$ keyward audit list --by op --limit 1
		> ^COUNT  OP +OUTCOME\n1 +\w+ +\w+\n$
		$ keyward audit list --limit 2
		> ^SEQ .*\n +3 .*\n +4 .*\n$
		$ keyward audit list --since 7d --until 1h
		=
		$ keyward audit list --until 2020-01-01
		=
		! ^none\n$
		$ keyward audit list --host api.example.com
		=
		$ keyward audit list --by colour
		! --by is of agent, cause
		? 2
		$ keyward audit list --since yesterday
		! a time is like
		? 2
		$ keyward audit list --outcome good
		! granted, denied or failed
		? 2
		$ KEYWARD_TOKEN=$TOKEN keyward audit list
		! holds the token of an agent: unset it
		? 3
		$ OP=$(keyward operator create alice)
		$ KEYWARD_TOKEN=$OP keyward audit list --by operator --op log
		> ^COUNT  OPERATOR  OUTCOME\n1 +alice +granted\n$
	`)
}

// TestAuditQueries: a query for what no record can have is refused; that there is none would be a wrong answer.
func TestAuditQueries(t *testing.T) {
	s := spent(t)
	s.open(time.Now, func(op *vault.Operator) error {
		_, err := op.Get(t.Context(), vault.Request{Path: "production/search/key", Call: "request-7"})
		return err
	})
	s.play(`
		$ keyward audit list --op freze
		! --op is one of create, get, use
		? 2
		$ keyward audit list --token zzz
		! --token is an id: 32 of 0-9 a-f, or the first 8
		? 2
		$ keyward audit tail --token 9e0e
		! or the first 8
		? 2
		$ keyward audit list --path 'production search'
		! --path:
		? 2
		$ keyward audit list --agent ''
		! --agent is empty
		? 2
		$ keyward audit list --call request-7
		> ^SEQ .*\n.* get +operator:tester +production/search/key\n$
		$ keyward audit list --call request-8
		! ^none\n$
		$ keyward audit list --by agent,path --path 'production/search/*'
		> ^COUNT  AGENT +PATH +OUTCOME\n
		> 1 +operator:root +production/search/key +granted\n
		> 1 +operator:tester +production/search/key +granted\n
		> 1 +researcher +production/search/key +granted\n
		$ keyward audit list --by agent --outcome denied
		> ^COUNT  AGENT\n1 +researcher\n$
	`)
}

func TestAuditProof(t *testing.T) {
	s := spent(t)
	s.play(`
		$ keyward audit verify
		! the log is as it was written
		$ keyward key
		= $KEY
		$ keyward checkpoint -o $DIR/monday.txt
		$ keyward checkpoint -o $DIR/monday.txt
		! a file that is there is not written over
		? 1
		$ keyward set production/search/key < $canary
		$ keyward audit verify --checkpoint $DIR/monday.txt
		! it fits 1 earlier
		$ keyward audit export -o $DIR/log.txt
		$ keyward audit verify --export $DIR/log.txt --key $KEY --checkpoint $DIR/monday.txt --json
		> "size": 6
		! it fits 1 earlier
		$ keyward audit verify --export $DIR/log.txt
		? 2

		$ PROOF=$(keyward audit prove 3)
		$ OLD=$(keyward audit prove 3 --checkpoint $DIR/monday.txt)
		$ keyward audit verify-proof - --key $KEY < $PROOF
		? 5
		$ keyward audit prove 3 --checkpoint $DIR/log.txt
		! log.txt: number 2 in it is no checkpoint
		? 2
		$ keyward audit prove 99
		? 2
		$ keyward audit prove x
		! is the number of a record
		? 2
	`)
	s.file("proof.txt", s.vars["PROOF"]+"\n")
	s.file("old.txt", s.vars["OLD"]+"\n")
	s.file("forged.txt", strings.Replace(s.vars["PROOF"], `"researcher"`, `"summariser"`, 1)+"\n")
	export, err := os.ReadFile(filepath.Join(s.vars["DIR"], "log.txt"))
	if err != nil {
		t.Fatal(err)
	}
	s.file("edited.txt", strings.Replace(string(export), `"researcher"`, `"summariser"`, 1))
	s.file("other.txt", strings.Replace(string(export), "keyward/", "keyward/0", 1))
	s.play(`
		$ keyward audit verify-proof $DIR/proof.txt --key $KEY
		> ^\{"seq":3,.*"to search"
		$ keyward audit verify-proof $DIR/old.txt --key $KEY
		> ^\{"seq":3,
		$ keyward audit verify-proof $DIR/forged.txt --key $KEY
		=
		! does not hold
		? 5
		$ keyward audit verify-proof $DIR/monday.txt --key $KEY
		? 5
		$ keyward audit verify-proof $DIR/proof.txt
		? 2
		$ keyward audit verify --export $DIR/edited.txt --key $KEY
		! does not hold.*\n  keep the file as it is
		? 5
		$ keyward audit verify --export $DIR/other.txt --key $KEY
		? 5
		$ keyward audit verify --checkpoint $DIR/log.txt
		! log.txt: number 2 in it is no checkpoint
		? 2
	`)

	// With sumdb alone.
	line, rest, _ := strings.Cut(s.vars["PROOF"]+"\n", "\n")
	head, checkpoint, _ := strings.Cut(rest, "\n\n")
	verifier, err := note.NewVerifier(s.vars["KEY"])
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Open([]byte(checkpoint), note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(signed.Text)
	root, err := tlog.ParseHash(words[2])
	if err != nil {
		t.Fatal(err)
	}
	var proof tlog.RecordProof
	for _, text := range strings.Split(head, "\n")[2:] {
		h, err := tlog.ParseHash(text)
		if err != nil {
			t.Fatal(err)
		}
		proof = append(proof, h)
	}
	if err := tlog.CheckRecord(proof, 6, root, 3, tlog.RecordHash([]byte(line))); err != nil {
		t.Error(err)
	}
}

// TestAuditCheckpoints: several in a file are each held against the log; a wrong file is no alarm, and a checkpoint that this vault
// has signed and that does not fit is one.
func TestAuditCheckpoints(t *testing.T) {
	s := spent(t)
	before := s.copyStore()
	checkpoint := func(args ...string) string {
		out, _, code := s.run(false, "", append([]string{"keyward", "checkpoint"}, args...)...)
		if code != exitOK {
			t.Fatalf("checkpoint ends with %d", code)
		}
		return out
	}
	monday := checkpoint()
	s.play("$ keyward set production/search/key < x")
	tuesday := checkpoint()
	s.play("$ keyward init --store $DIR/second/vault.db --root file:$DIR/keys/second.key")
	other := checkpoint("--store", s.vars["DIR"]+"/second/vault.db", "--root", "file:"+s.vars["DIR"]+"/keys/second.key")
	s.file("both", monday+tuesday)
	s.file("apart", "\n"+monday+"\n\n"+tuesday+monday+"\n")
	s.file("other", monday+other)
	lines := strings.SplitAfter(tuesday, "\n")
	lines[1] = "1\n"
	s.file("edited", monday+strings.Join(lines, ""))
	s.file("cut", monday+tuesday[:len(tuesday)-30])
	s.file("key", s.vars["KEY"]+"\n")
	s.file("none", "\n\n")
	s.play(`
		$ keyward audit verify --checkpoint $DIR/both
		! it fits 2 earlier
		$ keyward audit verify --checkpoint $DIR/apart --checkpoint $DIR/both
		! it fits 5 earlier
		$ keyward audit export -o $DIR/log.txt
		$ keyward audit verify --export $DIR/log.txt --key $KEY --checkpoint $DIR/both
		! it fits 2 earlier
		$ keyward audit verify --export $DIR/log.txt --key $KEY --checkpoint $DIR/other
		! number 2 in it is no checkpoint that the key of this log has signed
		? 5
		$ keyward audit verify --checkpoint $DIR/other
		! /other: number 2 in it .* not signed by the given key\n  it is of another vault's log, or(.|\n)*another vault stands where
		? 5
		$ keyward audit verify --checkpoint $DIR/edited
		! /edited: number 2 in it
		? 5
		$ keyward audit verify --checkpoint $DIR/cut
		? 5
		$ keyward audit verify --checkpoint $DIR/key
		! /key: number 1 in it
		? 2
		$ keyward audit verify --checkpoint $DIR/none
		! /none is empty
		? 2
	`)
	before.putBack("vault.db", "vault.db-head")
	s.play(`
		$ keyward audit verify --checkpoint $DIR/both
		! stored data was changed
		? 5
	`)
}

func TestAuditArchive(t *testing.T) {
	s := newTerminal(t)
	s.age("2020-01-01T00:00:00Z", "old/key")
	s.play(`
		$ KEY=$(keyward key)
		$ keyward set production/search/key < $canary
		$ keyward audit archive --before 30d
		? 2
		$ keyward audit archive --before 2019-01-01 -o $DIR/none.txt
		? 4
		$ keyward audit archive --before 30d -o $DIR/archive.txt --reason yearly
		! no longer in the log: keep that file
		$ keyward audit archive --before 30d -o $DIR/archive.txt
		? 1
		$ keyward audit verify --export $DIR/archive.txt --key $KEY
		! is as it was signed
		$ keyward audit verify
		! is as it was written
		$ keyward audit export -o $DIR/rest.txt
		$ keyward audit verify --export $DIR/rest.txt --key $KEY --after $DIR/archive.txt
		! is as it was signed
		$ keyward audit verify --export $DIR/rest.txt --key $KEY
		? 5
		$ keyward audit prove 0
		? 4
		$ keyward audit list --by op
		> 1 +archive +failed\n1 +archive +granted
	`)
	if _, err := os.Stat(filepath.Join(s.vars["DIR"], "none.txt")); err == nil {
		t.Error("an archive that was refused has left a file")
	}
}

// TestAuditTail: what comes is printed as it comes; after a restart the cursor leads to what came meanwhile.
func TestAuditTail(t *testing.T) {
	s := spent(t)
	s.vars["CURSOR"] = filepath.Join(s.vars["DIR"], "cursor")
	tail := s.follow("audit", "tail", "--cursor", s.vars["CURSOR"], "--op", "put", "--json")
	for !s.exists(s.vars["CURSOR"]) { // it begins now
	}
	s.play("$ keyward set production/one < $canary")
	if line := tail.next(); !strings.Contains(line, `"path":"production/one"`) {
		t.Error(line)
	}
	tail.interrupt()
	s.play(`
		$ keyward set production/two < $canary
		$ keyward set production/three < $canary
	`)
	tail = s.follow("audit", "tail", "--cursor", s.vars["CURSOR"], "--op", "put")
	for _, path := range []string{"production/two", "production/three"} {
		if line := tail.next(); !strings.Contains(line, path) {
			t.Errorf("%s: %s", path, line)
		}
	}
	tail.interrupt()
	tail = s.follow("audit", "tail", "--since", "1h", "--op", "create")
	if line := tail.next(); !strings.Contains(line, "create") {
		t.Error(line)
	}
	tail.interrupt()
	s.file("cursor", "soon")
	s.play(`
		$ keyward audit tail --cursor $CURSOR
		! is no cursor
		? 2
	`)
	s.file("cursor", "99")
	s.play(`
		$ keyward audit tail --cursor $CURSOR --since 1h
		! cursor wins over --since: it goes on at record 99\n(.|\n)*the log ends at \d+: another vault, or put back\?
		? 1
	`)
}

// following is a command that goes on until it is interrupted.
type following struct {
	s     *terminal
	lines *bufio.Scanner
	stop  context.CancelFunc
	code  chan int
}

func (s *terminal) follow(args ...string) *following {
	ctx, stop := context.WithCancel(s.t.Context())
	r, w := io.Pipe()
	f := &following{s, bufio.NewScanner(r), stop, make(chan int, 1)}
	a := &app{in: strings.NewReader(""), out: w, err: io.Discard, getenv: s.value}
	go func() {
		f.code <- execute(ctx, a, args)
		w.Close()
	}()
	return f
}

func (f *following) next() string {
	f.lines.Scan()
	return f.lines.Text()
}

func (f *following) interrupt() {
	f.stop()
	for f.lines.Scan() {
		f.s.t.Errorf("unexpected: %s", f.lines.Text())
	}
	if code := <-f.code; code != exitOK {
		f.s.t.Errorf("it ends with %d", code)
	}
}

func (s *terminal) exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
