// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
)

// usageError is a mistake in what was typed.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// exitCode ends keyward with a code and without another word.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// errNoVault is that of every command but init where nothing is yet.
var errNoVault = errors.New("there is no vault")

// errForeign is of a file that is no anchor, errBackup of one that is no whole backup. Neither is the store.
var (
	errForeign = errors.New("this is no anchor as keyward wrote it")
	errBackup  = errors.New("this is no whole backup")
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
	{fs.ErrPermission, exitFailure, "your user may not: run keyward as the owner of that file or folder (sudo -u NAME keyward …), or name another with --store or --root"},
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
	for _, to := range advice {
		if errors.Is(err, to.is) {
			if to.text != "" {
				text += "\n  " + to.text
			}
			return text, to.code
		}
	}
	return text, exitFailure
}

// flagError says what is wrong with a flag and does not quote what stood behind it.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	see := "; see " + cmd.CommandPath() + " --help"
	switch {
	case errors.As(err, &unknown):
		return usagef("there is no flag %s%s", dashes(unknown.GetSpecifiedName()), see)
	case errors.As(err, &missing):
		return usagef("the flag %s needs a value%s", dashes(missing.GetSpecifiedName()), see)
	case errors.As(err, &invalid):
		text := "want " + invalid.GetFlag().Value.Type()
		if e := (usageError{}); errors.As(err, &e) {
			text = e.text
		}
		return usagef("the value of --%s: %s", invalid.GetFlag().Name, text)
	case errors.Is(err, pflag.ErrHelp):
		return err
	}
	return usagef("a flag is malformed%s", see)
}

func dashes(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// family makes c, which does nothing by itself, show its commands.
func family(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("there is no such command; %s --help lists them", cmd.CommandPath())
		}
		return nil
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	c.AddCommand(commands...)
	return c
}

// want checks the number of arguments; usage names them. More of them may be a value, so they are not quoted.
func want(least, most int, usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usagef("usage: %s %s\n  see %s --help", cmd.CommandPath(), usage, cmd.CommandPath())
		}
		return nil
	}
}
