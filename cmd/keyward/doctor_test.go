// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keyward-go/keyward/scope"
	"github.com/keyward-go/keyward/vault"
)

// TestDoctor breaks one vault for each finding.
func TestDoctor(t *testing.T) {
	year := 366 * 24 * time.Hour
	for name, c := range map[string]struct {
		session string // before
		harm    func(s *terminal) error
		args    string
		want    string // a line
		code    int
	}{
		"healthy":                {want: `ok +log +\d+ records, all as they were written`},
		"a good key":             {want: `ok +root key +.*/root.key is yours alone`},
		"a passphrase":           {args: "--store $DIR/p/vault.db --root passphrase", session: `tty$ keyward init --store $DIR/p/vault.db --root passphrase < three-random-words three-random-words`, want: `ok +root key +is a passphrase`},
		"no anchor":              {want: `warning +anchor +there is none here.*\n +→ keyward anchor begins one`},
		"an anchor":              {session: "$ keyward anchor --anchor sqlite:$DIR/a/b.db", args: "--anchor sqlite:$DIR/a/b.db", want: `ok +anchor +is at .*/a/b.db`},
		"an anchor that is gone": {args: "--anchor sqlite:$DIR/a/b.db", want: `problem +anchor +there is no anchor at`, code: exitFailure},
		"an anchor beside":       {args: "--anchor sqlite:$HOME/.local/share/keyward/a.db", want: `warning +anchor +.*lies in the folder of the vault`, code: exitFailure},
		"a key beside the vault": {
			harm: func(s *terminal) error {
				return os.Rename(s.vars["HOME"]+"/.config/keyward/root.key", s.storeFile("root.key"))
			},
			args: "--root file:$HOME/.local/share/keyward/root.key",
			want: `problem +root key +.*lies in the folder of the vault`, code: exitFailure,
		},
		"a key that is gone": {
			harm: func(s *terminal) error { return os.Remove(s.vars["HOME"] + "/.config/keyward/root.key") },
			want: `problem +root key +.*/root.key is not there\n +→ put it back`, code: exitFailure,
		},
		"a key of others": {
			harm: func(s *terminal) error { return os.Chmod(s.vars["HOME"]+"/.config/keyward/root.key", 0o640) },
			want: `problem +root key +.*root.key can be used by others \(mode 0640\)\n +→ .*chmod 600`, code: exitFailure,
		},
		"a folder of everyone": {
			harm: func(s *terminal) error { return os.Chmod(s.vars["HOME"]+"/.config/keyward", 0o777) },
			want: `problem +root key +everyone can replace files in .*/.config/keyward\n +→ chmod o-w`, code: exitFailure,
		},
		"a store of others": {
			harm: func(s *terminal) error { return os.Chmod(s.storeFile("vault.db"), 0o644) },
			want: `problem +store +.*vault.db can be used by others.*(.|\n)*vault +was not opened`, code: exitFailure,
		},
		"a head file of others": {
			harm: func(s *terminal) error { return os.Chmod(s.storeFile("vault.db-head"), 0o666) },
			want: `problem +store +.*vault.db-head can be used by others`, code: exitFailure,
		},
		"a lock of others": {
			harm: func(s *terminal) error { return os.Chmod(s.storeFile("vault.db-lock"), 0o606) },
			want: `problem +store +.*vault.db-lock can be used by others`, code: exitFailure,
		},
		"a store of another user": {
			harm: func(s *terminal) error { return os.Chown(s.storeFile("vault.db"), 12345, -1) },
			want: `problem +store +.*vault.db belongs to '#12345'\n +→ run it as that user: sudo -u '#12345' keyward`, code: exitFailure,
		},
		"a link": {
			harm: func(s *terminal) error {
				if err := os.Rename(s.storeFile("vault.db"), s.vars["DIR"]+"/v"); err != nil {
					return err
				}
				return os.Symlink(s.vars["DIR"]+"/v", s.storeFile("vault.db"))
			},
			want: `problem +store +.*vault.db is a symbolic link`, code: exitFailure,
		},
		"a second name": {
			harm: func(s *terminal) error { return os.Link(s.storeFile("vault.db"), s.vars["DIR"]+"/v") },
			want: `problem +store +.*vault.db has a second name`, code: exitFailure,
		},
		"a folder of a group": {
			harm: func(s *terminal) error { return os.Chmod(s.storeFile(""), 0o770) },
			want: `warning +store +a group can replace files`,
		},
		"a lost head file": {
			harm: func(s *terminal) error { return os.Remove(s.storeFile("vault.db-head")) },
			want: `problem +vault +.*rolled back`, code: exitTampered,
		},
		"a store that is none": {
			harm: func(s *terminal) error {
				return os.WriteFile(s.storeFile("vault.db"), []byte(strings.Repeat("x", 8192)), 0o600)
			},
			want: `problem +store +`, code: exitTampered,
		},
		"a file from the future": {
			harm: func(s *terminal) error {
				return os.Chtimes(s.storeFile("vault.db-head"), time.Time{}, time.Now().Add(time.Hour))
			},
			want: `warning +clock +.*vault.db-head was written at .*, which is in the future\n +→ set the clock`,
		},
		"a record that was changed": {
			session: "$ keyward set a/b < $canary",
			harm: func(s *terminal) error {
				b, err := os.ReadFile(s.storeFile("vault.db"))
				if err != nil {
					return err
				}
				b = bytes.Replace(b, []byte(`"op":"create"`), []byte(`"op":"delete"`), 1)
				if err := os.WriteFile(s.storeFile("vault.db"), b, 0o600); err != nil {
					return err
				}
				s.play(`
					$ keyward audit list
					? 5
					$ keyward audit verify
					? 5
				`)
				return nil
			},
			want: `problem +log +.*\n +→ somebody or something else than keyward wrote`, code: exitTampered,
		},
		"a clock behind the log": {
			harm: func(s *terminal) error {
				s.age(time.Now().Add(24*time.Hour).Format(time.RFC3339), "a/b")
				return nil
			},
			want: `problem +clock +is .* behind the last record.*\n +→ set the clock .*keyward reset-clock`, code: exitFailure,
		},
		"too many rows": {
			harm: func(*terminal) error { manyRows = 1; return nil },
			want: `warning +store +it has [2-9] rows`,
		},
		"an agent key that ends": {
			session: "$ keyward agent create researcher --scope secrets:use:a/b --expires 13d",
			want:    `warning +keys +key:[0-9a-f]{32} of agent researcher ends at .*\n +→ keyward agent create researcher`,
		},
		"a freeze": {
			session: "$ keyward freeze path 'a/*'",
			want:    `warning +freezes +path a/\* is frozen\n +→ when it is over: keyward thaw path 'a/\*'`,
		},
		"an operator who ends": {
			session: "$ keyward operator create alice --expires 13d",
			want:    `warning +keys +key:[0-9a-f]{32} of operator alice ends at`,
		},
		"a secret that ended": {
			session: "$ keyward set a/b < $canary",
			harm: func(s *terminal) error {
				s.open(nil, func(op *vault.Operator) error {
					return op.SetPolicy(t.Context(), "a/b", vault.Policy{Expires: time.Date(2020, 1, 31, 0, 0, 0, 0, time.UTC)}, "")
				})
				return nil
			},
			want: `warning +secrets +a/b: it ended at 2020-01-31.*\n +→ put a new value`,
		},
		"no hosts": {
			session: "$ keyward set a/b < $canary",
			harm: func(s *terminal) error {
				s.open(nil, func(op *vault.Operator) error {
					agent, err := op.Issue(t.Context(), vault.Grant{Agent: "researcher", Scopes: scope.MustParse("secrets:use:a/b"), TTL: time.Hour})
					if err != nil {
						return err
					}
					_ = agent.Use(t.Context(), vault.Request{Path: "a/b", URL: "https://api.example.com/"}, func(vault.Item) error { return nil })
					return nil
				})
				return nil
			},
			want: `warning +secrets +a/b was wanted for HTTP 1 times, but it has no hosts\n +→ keyward policy set a/b --host`,
		},
		"old keys": {
			args: "--store $DIR/old/vault.db",
			harm: func(s *terminal) error {
				store := s.vars["KEYWARD_STORE"]
				s.vars["KEYWARD_STORE"] = s.vars["DIR"] + "/old/vault.db"
				s.vars["KEYWARD_ROOT"] = "file:" + s.vars["DIR"] + "/k/root.key"
				s.age(time.Now().Add(-year).Format(time.RFC3339), "a/b")
				s.vars["KEYWARD_STORE"] = store
				return nil
			},
			want: `warning +keys +the keys of the vault were made at .*\n +→ keyward rotate`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "another user") && os.Getuid() != 0 {
				t.Skip("only root can give a file away")
			}
			defer func(n int) { manyRows = n }(manyRows)
			s := newTerminal(t)
			s.play("$ keyward init")
			s.play(c.session)
			if c.harm != nil {
				if err := c.harm(s); err != nil {
					t.Fatal(err)
				}
			}
			out, errOut, code := s.run(false, "three-random-words", s.words("keyward doctor "+c.args)...)
			if !regexp.MustCompile(`(?m)^` + c.want).MatchString(out) {
				t.Errorf("it does not say %q, but\n%s%s", c.want, out, errOut)
			}
			if code != c.code {
				t.Errorf("it ends with %d, want %d:\n%s%s", code, c.code, out, errOut)
			}
			if strings.Contains(out+errOut, canary) {
				t.Error("it prints a value")
			}
		})
	}
	s := newTerminal(t)
	s.play(`
		$ keyward doctor
		! there is no vault
		? 4
		$ keyward init
		$ keyward doctor --json
		> "level": "ok",\n +"check": "store",
		$ TOKEN=$(keyward token issue --agent researcher --scope secrets:read:a/b)
		$ KEYWARD_TOKEN=$TOKEN keyward doctor
		? 3
	`)
}
