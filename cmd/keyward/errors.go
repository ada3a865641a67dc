// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/keyward-go/keyward/vault"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitDenied   = 3
	exitNotFound = 4
	exitTampered = 5

	exitNotExecutable = 126 // of run, as of shells
	exitNoProgram     = 127
)

// exitCode ends keyward with a code and without another word.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// errNoVault is that of every command but init where nothing is yet.
var errNoVault = errors.New("there is no vault")

// errForeign is of a file that is no anchor, errBackup of one that is no whole backup. Neither is the store.
var (
	errForeign = errors.New("this is no anchor as keyward wrote it")
	errBackup  = errors.New("this is no whole backup")

	// errOtherKind is of a store that begins as one of another kind.
	errOtherKind = errors.New("this is no store of the kind that was named")
)

// errNoProgram and errNotExecutable are of the program that run is to start.
var (
	errNoProgram     = errors.New("there is no such program")
	errNotExecutable = errors.New("it may not be executed")
)

// advice is what to do about an error, by what errors.Is finds first.
var advice = []struct {
	is   error
	code int
	text string
}{
	{errNoVault, exitNotFound, "keyward init makes one; --store or " + storeEnv + " names another place"},
	{errNoAnchor, exitFailure, "is its disk mounted? keyward anchor begins one; if it was there and is gone, somebody may have put the vault back: compare it with a checkpoint"},
	{errForeign, exitTampered, "--anchor names the store that keyward anchor has made; if this is it, keep a copy of it as it is, and compare the log with a checkpoint"},
	{errOtherKind, exitTampered, "if it was a store of that kind, somebody has changed it: keep a copy of it as it is, and restore a backup with keyward restore"},
	{errBackup, exitTampered, "nothing is restored from it: use another copy"},
	{syscall.EADDRINUSE, exitFailure, "another program listens there, maybe another keyward: --listen names another address"},
	{errEvidence, exitTampered, "keep the file as it is, and compare it with the exports and checkpoints that were kept elsewhere"},
	{vault.ErrNoKey, exitFailure, "--root or " + rootEnv + " says where the root key is; a lost one has to come back from your copy, nothing else opens the vault"},
	{vault.ErrWrongKey, exitFailure, "nothing was changed; --root or " + rootEnv + " says which root key this vault was sealed with"},
	{vault.ErrKMSUnavailable, exitFailure, "try again when the key service answers"},
	{vault.ErrRollback, exitTampered, "the store is older than it was: put back the newest copy of all its files, or accept what is there with keyward restore --accept-rollback, which ends every token"},
	{vault.ErrTampered, exitTampered, "somebody or something else than keyward wrote to the store: keep a copy of it as it is, and restore a backup with keyward restore"},
	{vault.ErrBusy, exitFailure, "another process has the store; try again, and if it stays so find the process that holds it"},
	{vault.ErrClock, exitFailure, "set the clock of this machine; if it is right, and was ahead when the last record was written, keyward reset-clock"},
	{vault.ErrNotRecorded, exitFailure, "the record could not be written, so nothing was released; is the disk full or read-only?"},
	{vault.ErrDeadToken, exitDenied, "ask whoever gave you the token for a new one; an operator finds the cause in the log"},
	{vault.ErrDenied, exitDenied, ""},
	{vault.ErrNotFound, exitNotFound, ""},
	{vault.ErrConflict, exitFailure, ""},
	{vault.ErrInvalid, exitUsage, ""},
	{errNoProgram, exitNoProgram, ""},
	{errNotExecutable, exitNotExecutable, ""},
	{fs.ErrNotExist, exitFailure, "is the name spelled right? one that does not begin with / is of the folder where you are"},
	{fs.ErrPermission, exitFailure, "your user may not: run keyward as the owner of that file or folder (sudo -u NAME keyward …), or name another with --store or --root"},
}

// bare is what to do about an error that says nothing more than what it is.
var bare = []struct {
	is   error
	text string
}{
	{vault.ErrDenied, "what " + tokenEnv + " holds may not do this there, or is frozen (the key of an agent can only issue tokens):\n" +
		"  an operator finds the cause with keyward audit list --outcome denied"},
	{vault.ErrNotFound, "keyward list shows the paths that have a value, keyward versions PATH the versions of one"},
}

// explain returns what to say of an error, what to do next included, and the exit code.
func (a *app) explain(err error) (text string, code int) {
	var usage usageError
	var exit exitCode
	switch {
	case err == nil:
		return "", exitOK
	case errors.As(err, &exit):
		return "", int(exit)
	case errors.Is(err, context.Canceled):
		return "interrupted", exitFailure
	case errors.As(err, &usage):
		return usage.text, exitUsage
	}
	text = a.inWords(strings.TrimPrefix(err.Error(), "vault: "))
	if errors.Is(err, vault.ErrNoKey) && !errors.Is(err, fs.ErrNotExist) { // there is a key, and the text says what to do about it
		return strings.Replace(text, "no root key at", "the root key is refused:", 1), exitFailure
	}
	for _, to := range bare {
		if strings.HasSuffix(text, ": "+to.is.Error()) {
			text += "\n  " + to.text
		}
	}
	for _, to := range advice {
		if errors.Is(err, to.is) {
			if to.is == vault.ErrDeadToken {
				to.text = a.ofDeadToken(to.text)
			}
			if to.text != "" {
				text += "\n  " + to.text
			}
			return text, to.code
		}
	}
	return text, exitFailure
}
