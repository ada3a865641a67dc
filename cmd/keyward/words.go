// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
)

// inCommands says in commands and flags what the errors of the packages say in names of Go.
var inCommands = strings.NewReplacer(
	"an operator puts a later expiry with SetPolicy", "an operator says a later end with keyward policy set PATH --expires TIME",
	"an operator sets Policy.Hosts with SetPolicy", "an operator gives it some with keyward policy set PATH --host HOST",
	"; an operator uses SetPolicy", "; an operator changes it with keyward policy set PATH",
	"the path has hosts; set Request.URL to where the value goes",
	"a path with hosts may go to these alone, over HTTP, and so into no environment: keyward serve applies it",
	"the path has several hosts; say to which: Request.URL with scheme and host", "the path has several hosts; say to which, with scheme and host",
	"http needs Networks that name where it may go, such as 127.0.0.0/8", "http needs --network, which says where it may go, such as 127.0.0.0/8",
	"undo it with ResetClock", "undo it with keyward reset-clock",
	": archive before the one, or after the other", "\n  say an earlier --before, not after the first of these times, or wait for the second",
	"TTL: ", "--ttl: ",
	", by Config.MaxTTL or the limits of the key", ", as the vault or the limits of the key have it",
	"not the id of a link; Claims and Tokens show them", "that is no id of a token or key; keyward token list and keyward agent list show them",
	"RotateKeys without Compromised re-wraps them", "keyward rotate without --compromised wraps them anew",
	"rotate with Compromised", "keyward rotate --compromised",
	"RotateKeys goes on", "keyward rotate goes on",
	"the store is empty: Restore needs a backup", "the store is empty: keyward restore needs a backup",
	"call Restore again, without a backup", "call keyward restore --accept-rollback with a --reason",
	"or restore from a backup with vault.Restore, which without a backup accepts the store as it is",
	"or restore a backup with keyward restore, or accept the store as it is with keyward restore --accept-rollback",
	"restore from a backup with vault.Restore", "restore a backup with keyward restore",
	"use backend/sqlite, which several may open", "use --store sqlite:PATH, which several may open",
	"use kms.Passphrase or kms.Wrapper", "use --root passphrase",
	"kms.KeyFile: open: ", "", "kms.KeyFile: seal: ", "", "kms.Passphrase: open: ", "", "kms.Passphrase: seal: ", "",
	"kms.KeyFile", "a key file", "kms.Passphrase", "a passphrase", "kms.Wrapper", "a key service", "kms.Either", "one of several roots",
)

// othersFile is what a store or a key file says of a file of another user, with its path.
var othersFile = regexp.MustCompile(` belongs to another user: if its content is yours, chown \d+ (.+)`)

// inWords is the text of an error for a person at a terminal.
func (a *app) inWords(text string) string {
	return othersFile.ReplaceAllStringFunc(inCommands.Replace(text), func(m string) string {
		return a.ofAnother(othersFile.FindStringSubmatch(m)[1])
	})
}

// ofAnother says what to do about a file of another user. Root is not told to take it: its owner could not open it then.
func (a *app) ofAnother(path string) string {
	owner := "another user"
	next := "run keyward as that user"
	if info, err := os.Lstat(path); err == nil {
		if name := ownerOf(info); name != "" {
			owner, next = name, "run it as that user: sudo -u "+name+" keyward …"
		}
	}
	if uid := os.Geteuid(); uid > 0 {
		next += "; only if its content is yours: sudo chown " + strconv.Itoa(uid) + " " + path
	}
	return " belongs to " + owner + "\n  " + next
}
