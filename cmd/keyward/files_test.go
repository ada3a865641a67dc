// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestImport(t *testing.T) {
	s := newTerminal(t)
	s.file("env", "A='$canary'\nexport B=two # comment\nb=three\n")
	s.file("bad", "A=$canary\nB C=$canary\nD=$canary#x\nA=x\nB='$canary\nA=$canary\nD=$canary#x\n")
	s.file("pem", "KEY='-----BEGIN-----\n$canary==\n-----END-----\n'\nLATER=\nOTHER=x\n")
	s.play(`
		$ keyward init
		$ keyward set production/app/B < old-value
		$ keyward import $DIR/env --under production/app --dry-run
		> A +production/app/A +new
		> B +production/app/B +next +2
		! nothing was changed
		$ keyward list
		> ^PATH.*\nproduction/app/B +1 .*\n$
		$ keyward import $DIR/env --under production/app --reason 'out of the repository'
		> A +production/app/A +new +1
		> B +production/app/B +next +2
		> b +production/app/b +refused .*case
		! ^1 new, 1 next, 1 refused\n2 of these paths have no host(.|\n)*1 of 3 keys were refused
		? 1
		$ keyward import - --under production/app --skip-unchanged --json < A=$canary
		> "result": "unchanged",\n +"version": 1
		$ keyward import - --under production/app --skip-unchanged < A=$canary-2
		> A +production/app/A +next +2
		$ TOKEN=$(keyward token issue --agent a --scope secrets:write:production/app/* --scope secrets:read:production/app/B)
		$ KEYWARD_TOKEN=$TOKEN keyward import $DIR/env --under production/app --skip-unchanged
		> A +production/app/A +refused .*denied
		> B +production/app/B +unchanged +2
		? 1
		$ keyward import - --under production/app < EMPTY=
		> skipped +- +the value is empty
		! ^1 skipped\n$
		$ keyward import $DIR/bad --under production/app
		! cannot be imported, and nothing was:\nline 2: .*\nline 3, D: a #.*\nline 4, A: the key stands on line 1 already\nline 5, B: .*multi-line values: use keyward set PATH --file FILE\n$
		? 2
		$ keyward import $DIR/pem --under staging --only KEY,LATER
		! ^1 new, 1 skipped\n1 of these paths have no host.*: keyward policy set staging/KEY --host HOST\n$
		$ keyward get staging/KEY
		= -----BEGIN-----
		= $canary==
		= -----END-----
		$ keyward policy set staging/KEY --host api.example.com
		$ keyward import $DIR/pem --under staging --skip OTHER --skip-unchanged
		! ^1 unchanged, 1 skipped\n$
		$ keyward import $DIR/pem --under staging --only NONE
		! keys in the file, and NONE is not
		? 2
		$ keyward import $DIR/pem --under staging --only KEY=$canary
		! and one of them is not
		? 2
		$ keyward import --help
		> There is no standard for such files
		$ keyward import $DIR/env
		! ^keyward: --under is missing
		? 2
		$ keyward import $DIR/env --under ''
		! ^keyward: --under is missing
		? 2
		$ keyward import $DIR/env --under a//b
		! ^keyward: --under: path
		? 2
		$ keyward import $DIR/none --under production/app
		! no such file
		? 1
		$ keyward get production/app/A
		= $canary-2
	`)
	s.wantRecord(`"op":"put",.*"path":"production/app/A",.*"reason":"out of the repository"`)
}

// TestImportQuotes: no value loses a quote unseen.
func TestImportQuotes(t *testing.T) {
	s := newTerminal(t)
	s.file("quotes", `JSON={"$canary":"b c"}
INSIDE=pa"ss"$canary
BEHIND="x"$canary
DOUBLED='it''$canary'
`)
	s.file("json", `JSON='{"$canary":"b c"}'`)
	s.play(`
		$ keyward init
		$ keyward import $DIR/quotes --under a
		! nothing was:\nline 1, JSON: .*single quotes.*\nline 2, INSIDE: .*\nline 3, BEHIND: .*\nline 4, DOUBLED: .*\n$
		? 2
		$ keyward list
		! none
		$ keyward import $DIR/json --under a
		$ keyward get a/JSON
		= {"$canary":"b c"}
	`)
}

func TestExport(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init
		$ keyward set production/app/A < $canary
		$ keyward set production/app/tavily-key < it's $canary
		$ keyward export 'production/app/*' -o $DIR/out.env
		= 
		$ keyward export 'production/app/*' -o $DIR/out.env
		! a file that is there is not written over
		? 1
		$ keyward export 'production/app/*'
		= A=$canary
		= tavily-key="it's $canary"
		$ keyward export 'production/app/*' --format json
		= {
		=   "production/app/A": "$canary",
		=   "production/app/tavily-key": "it's $canary"
		= }
		tty$ keyward export 'production/app/*'
		! say --force-tty
		? 2
		tty$ keyward export production/app/A --force-tty
		= A=$canary
		$ keyward import $DIR/out.env --under copy
		> A +copy/A +new
		$ keyward get copy/tavily-key
		= it's $canary
		$ keyward export '*'
		! production/app/A would be the same key
		? 2
		$ keyward export 'staging/*' -o $DIR/none.env
		? 4
		$ keyward export '*' --format xml
		? 2
	`)
	info, err := os.Stat(filepath.Join(s.vars["DIR"], "out.env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(s.vars["DIR"], "none.env")); err == nil {
		t.Error("an export that failed leaves a file")
	}
	s.run(false, "\xff", "keyward", "set", "bytes/A")
	s.play(`
		$ keyward export 'bytes/*'
		! bytes/A: the value is not UTF-8.*keyward get prints it
		? 1
		$ keyward export 'bytes/*' --format json
		? 1
		$ keyward get bytes/A --json
		? 2
	`)
}

// TestOldCopy: a store that was put back is exit code 5.
func TestOldCopy(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init
		$ keyward set a/b < $canary
	`)
	db := filepath.Join(s.vars["HOME"], ".local/share/keyward/vault.db")
	old, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	s.play("$ keyward set a/b < x")
	if err := os.WriteFile(db, old, 0o600); err != nil {
		t.Fatal(err)
	}
	s.play(`
		$ keyward get a/b
		! store was rolled back(.|\n)*put back the newest copy
		? 5
	`)
	for i := range old {
		old[i] ^= 0xff
	}
	if err := os.WriteFile(db, old, 0o600); err != nil {
		t.Fatal(err)
	}
	s.play(`
		$ keyward get a/b
		! restore a backup
		? 5
	`)
}
