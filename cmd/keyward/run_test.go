// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	s := newTerminal(t)
	s.file("text", "text")
	s.file("no-format", "text")
	if err := os.Chmod(filepath.Join(s.vars["DIR"], "no-format"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.play(`
		$ keyward init
		$ keyward set production/db/password < $canary
		$ keyward set production/search/key --host api.tavily.com < $canary
		$ keyward run --env P=production/db/password --reason nightly -- sh -c 'echo "got $P"; test "$P" = canary-5f0c2 && echo same'
		= got [redacted]
		= same
		$ keyward run --env P=production/db/password -- sh -c 'echo "$P" >&2; exit 7'
		! ^\[redacted\]
		? 7
		$ keyward run --env P=production/db/password sh -c 'kill -KILL $$'
		? 137
		$ keyward run --env P=production/db/password -- cat < through
		= through
		$ keyward run --env P=production/search/key -- true
		! a path with hosts may go to these alone
		? 3
		$ keyward run --env P=production/none -- true
		? 4
		$ keyward run --env P -- true
		! --env: NAME=PATH
		? 2
		$ keyward run --env P=production/db/password
		? 2
		$ keyward run --env P=production/db/password -- no-such-program-here
		! there is no such program: .*not found
		? 127
		$ keyward run --env P=production/db/password -- $DIR/none
		? 127
		$ keyward run --env P=production/db/password -- $DIR/text
		! it may not be executed
		? 126
		$ keyward run --env P=production/db/password -- $DIR/no-format
		! it may not be executed
		? 126
		$ keyward run --env 'A B=production/db/password' -- true
		! --env: the name of a variable is of A-Z a-z 0-9 _
		? 2
		$ keyward run --env 1A=production/db/password -- true
		? 2
		$ TOKEN=$(keyward token issue --agent worker --scope 'secrets:use:production/db/*' --uses 1)
		$ KEYWARD_TOKEN=$TOKEN keyward run --env P=production/db/password -- sh -c 'echo "${#P} bytes, token: $KEYWARD_TOKEN"'
		= 12 bytes, token:
		$ KEYWARD_TOKEN=$TOKEN keyward run --env P=production/db/password -- sh -c 'echo "${#P}"'
		? 3
	`)
	s.wantRecord(`"op":"use","operator":.*"path":"production/db/password",.*"reason":"nightly"`)
	s.wantRecord(`"op":"use","agent":"worker"`)
}

// TestRunSignal: the program sends keyward a signal, and gets it.
func TestRunSignal(t *testing.T) {
	s := newTerminal(t)
	s.play("$ keyward init")
	const program = `trap "exit 9" TERM; kill -TERM $PPID; i=0; while [ $i -lt 2000000 ]; do i=$((i+1)); done; exit 1`
	if _, text, code := s.run(false, "", "keyward", "run", "--", "sh", "-c", program); code != 9 {
		t.Errorf("exit code %d: %s", code, text)
	}
}

func TestPanic(t *testing.T) {
	var out bytes.Buffer
	if code := guarded(&out, func() int { panic(canary) }); code != exitFailure || strings.Contains(out.String(), canary) {
		t.Errorf("%d, %s", code, &out)
	}
}
