// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init --as root
		$ keyward set production/search/key --as root < $canary
		$ TOKEN=$(keyward token issue --agent researcher --scope 'secrets:read:production/search/*' --ttl 1h --uses 3 --run r1 --reason 'a test')
		! ^token [0-9a-f]{32}, ends
		$ keyward token list
		> alive +researcher +r1 +secrets:read:production/search/\* +- +0/3
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		= $canary
		$ KEYWARD_TOKEN=$TOKEN keyward set production/search/key < x
		! denied
		? 3
		$ KEYWARD_TOKEN=$TOKEN keyward get production/none
		? 3
		$ KEYWARD_TOKEN=$TOKEN keyward freeze agent researcher
		! holds the token of an agent: unset it
		? 3
		$ KEYWARD_TOKEN=nonsense keyward get production/search/key
		! token is not valid\n  ask whoever gave you the token
		? 3

		$ NARROW=$(KEYWARD_TOKEN=$TOKEN keyward token issue --agent researcher/summariser --ttl 5m)
		$ KEYWARD_TOKEN=$NARROW keyward get production/search/key
		= $canary
		$ SAME=$(KEYWARD_TOKEN=$NARROW keyward token issue --agent researcher/summariser/other)
		$ KEYWARD_TOKEN=$NARROW keyward token issue --ttl 24h
		? 3
		$ ID=$(keyward token issue --agent researcher --scope secrets:use:a/b --json)
		> "token": "kw_tok_
		> "id": "[0-9a-f]{32}"
		> "agent": "researcher"
		$ keyward token revoke 00112233445566778899aabbccddeeff
		! ^no token that lives has the id 00112233445566778899aabbccddeeff, so nothing has ended
		$ keyward token revoke nonsense
		? 2

		$ keyward token issue --scope secrets:use:a/b
		! ^keyward: say .*: --agent NAME; see
		? 2
		$ keyward token issue
		! ^keyward: say .*: --agent NAME and --scope SCOPE; see
		? 2
		$ keyward agent create researcher
		! --scope SCOPE
		? 2
		$ keyward token issue --agent researcher --scope secrets:$canary:a/b
		! --scope:
		? 2
		$ keyward token issue --agent researcher --scope secrets:use:a/b --ttl 3months
		! a duration is like 30m, 12h or 90d
		? 2
		$ keyward token
		> issue +Print a new token
	`)
	all := s.records()
	for _, r := range all {
		if r.Op == "issue" && r.Agent == "" {
			s.vars["ID"] = r.Target
			break
		}
	}
	s.vars["SHORT"] = s.vars["ID"][:8]
	s.play(`
		$ keyward audit list --token $SHORT --op get
		> granted +get +researcher +(.|\n)*granted +get +researcher/summariser
		$ keyward audit list --token 00112233
		! none
		$ keyward token revoke 00112233 --reason leaked
		? 2
		$ keyward token revoke $SHORT --reason leaked
		! ^$ID is revoked, with all that was narrowed from it\n$
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		? 3
		$ KEYWARD_TOKEN=$NARROW keyward get production/search/key
		? 3
		$ keyward token list
		> \n$SHORT +revoked
		$ keyward token list --json
		> "id": "$ID"
	`)
	s.wantRecord(`"op":"put","operator":"root"`)
	for _, r := range s.records() {
		if r.Op == "issue" && r.Outcome == "denied" && r.Agent == "" {
			t.Errorf("what the flags did not say was asked of the vault: %s", r)
		}
	}
}

// TestNetworks: a token that is bound to networks is printed, and what it is not good for is said.
func TestNetworks(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init
		$ keyward set a/b < $canary
		$ TOKEN=$(keyward token issue --agent netw --scope 'secrets:read:a/*' --network 10.0.0.0/8 --network fd00::/8)
		! ^token [0-9a-f]{32}, ends .*\n  It works with keyward serve, from 10.0.0.0/8 fd00::/8, and in no command
		$ keyward token list
		> NETWORKS(.|\n)*netw +- +secrets:read:a/\* +10.0.0.0/8 fd00::/8 +-
		$ keyward token issue --agent netw --scope 'secrets:read:a/*' --network 127.0.0.0/8 --json
		> "token": "kw_tok_
		$ KEYWARD_TOKEN=$TOKEN keyward get a/b
		! token is not valid\n  it is bound to networks, and such a token is for keyward serve
		? 3
		$ FREE=$(keyward token issue --agent netw --scope 'secrets:read:a/*')
		$ NARROW=$(KEYWARD_TOKEN=$FREE keyward token issue --network 10.0.0.0/8)
		$ KEYWARD_TOKEN=$NARROW keyward get a/b
		! it is bound to networks
		? 3
		$ KEYWARD_TOKEN=$FREE keyward get a/b
		= $canary
		$ KEY=$(keyward agent create netw --scope 'secrets:read:a/*' --network 127.0.0.0/8)
		! It works with keyward serve, from 127.0.0.0/8
		$ KEYWARD_TOKEN=$KEY keyward token issue --scope secrets:read:a/b
		! token is not valid\n  if it was made with --network it is for keyward serve.*\n  else ask
		? 3
		$ OP=$(keyward operator create alice --network 127.0.0.0/8)
		! It works with keyward serve
		$ KEYWARD_TOKEN=$OP keyward list
		! if it was made with --network
		? 3
		$ keyward rotate --compromised
		$ KEYWARD_TOKEN=$FREE keyward get a/b
		! token is not valid\n  ask whoever
		? 3
	`)
	if !strings.HasPrefix(s.vars["TOKEN"], "kw_tok_") || !strings.HasPrefix(s.vars["NARROW"], "kw_tok_") {
		t.Error("a token was not printed")
	}
	s.wantRecord(`"outcome":"denied","cause":"network","op":"get","agent":"netw"`)
}

// TestTokenStates: the list says what holds, also of a token that inherits.
func TestTokenStates(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init
		$ keyward set a/b < $canary
		$ TOKEN=$(keyward token issue --agent top --scope 'secrets:read:a/*' --uses 1)
		$ NARROW=$(KEYWARD_TOKEN=$TOKEN keyward token issue --agent top/sub)
		$ keyward token list
		> alive +top +- +secrets:read:a/\* +- +0/1 +20.*\n[0-9a-f]{8}\.[0-9a-f]{8} +alive +top/sub +inherits +inherits +inherits +inherits +inherits\n
		$ KEYWARD_TOKEN=$TOKEN keyward get a/b
		= $canary
		$ keyward token list
		> used up +top +- +secrets(.|\n)* used up +top/sub
		$ keyward token list --json
		> "state": "used up"
	`)
	for _, r := range s.records() {
		if r.Op == "issue" && r.Agent == "" {
			s.vars["ID"] = r.Target
		}
	}
	s.vars["BELOW"] = s.vars["ID"] + ".00112233445566778899aabbccddeeff"
	s.play(`
		$ keyward token revoke $BELOW
		! ^no token was issued here with the id $BELOW, but whoever has narrowed it elsewhere from $ID holds a dead one now\n  if that
		$ keyward token list
		> \.00112233 +revoked +unknown +unknown
		$ keyward token revoke $BELOW
		! ^no token was issued here
		$ keyward token revoke $ID
		! ^$ID is revoked, with all
	`)
}

func TestKeys(t *testing.T) {
	s := newTerminal(t)
	s.play(`
		$ keyward init
		$ keyward set production/search/key < $canary
		$ KEY=$(keyward agent create researcher --scope 'secrets:read:production/*' --ttl 10m --expires 30d)
		! key:[0-9a-f]{32} of researcher, ends .*; it is shown only now
		$ TOKEN=$(KEYWARD_TOKEN=$KEY keyward token issue --scope secrets:read:production/search/key --ttl 10m)
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		= $canary
		$ KEYWARD_TOKEN=$KEY keyward get production/search/key
		? 3
		$ KEYWARD_TOKEN=$KEY keyward token issue --scope secrets:read:staging/key
		? 3
		$ OP=$(keyward operator create alice --expires 1d)
		$ KEYWARD_TOKEN=$OP keyward freeze agent researcher
		$ KEYWARD_TOKEN=$OP keyward thaw agent researcher
		$ KEYWARD_TOKEN=$OP keyward get production/search/key
		= $canary
		$ keyward agent list
		> key:[0-9a-f]{8} +researcher +alive +secrets:read:production/\*
		$ keyward operator list --json
		> "name": "alice"(.|\n)*"state": "alive"
		$ keyward agent create researcher --scope secrets:use:a/b --expires 900d
		? 2
		$ keyward agent create researcher
		? 2
		$ keyward agent revoke key:00112233445566778899aabbccddeeff
		! keyward agent list shows the ids
		? 4
	`)
	for _, r := range s.records() {
		if r.Op == "key" && r.Outcome == "granted" {
			s.vars["ID"], s.vars["SHORT"] = r.Target, short(r.Target)
			break
		}
	}
	s.play(`
		$ keyward operator revoke $ID
		? 4
		$ keyward operator revoke $SHORT
		? 4
		$ keyward agent revoke $SHORT --reason 'left'
		! with every token that was issued under it
		$ KEYWARD_TOKEN=$TOKEN keyward get production/search/key
		? 3
		$ keyward agent list
		> revoked
	`)
	s.wantRecord(`"op":"freeze","operator":"alice"`)
}
