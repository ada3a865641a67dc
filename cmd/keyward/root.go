// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Environment variables.
const (
	storeEnv = "KEYWARD_STORE"
	rootEnv  = "KEYWARD_ROOT"
	tokenEnv = "KEYWARD_TOKEN"
)

// Groups of commands, as the help shows them.
const (
	begin  = "begin"
	secret = "secret"
	agents = "agents"
	alarm  = "alarm"
	keep   = "keep"
	front  = "front"
	about  = "about"
)

const welcome = `keyward keeps the credentials of AI agents in a vault, lends them for what a token allows, and records every use.

To begin:

  keyward init                                            # a vault and its root key
  keyward set production/search/key --host api.tavily.com # asks for the value
  keyward token issue --agent researcher --scope 'secrets:use:production/search/*'`

const exitCodes = `Exit codes: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 not found, 5 the store was changed or rolled back. That of keyward
run is the program's, or 127 if there is no such program and 126 if it may not be executed. Errors are text on the standard error,
with --json too.`

// newRootCommand returns the whole command line.
func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "keyward",
		Short:         "Keep the credentials of AI agents",
		Long:          welcome + "\n\n" + exitCodes,
		Version:       version(),
		SilenceErrors: true, // execute prints them
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,

		PersistentPreRunE: together,
		RunE: func(root *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(root, args[0])
			}
			_, err := fmt.Fprintf(a.out, "%s\n\n%s\nkeyward --help says what each is for, keyward COMMAND --help how it is used.\n", welcome, overview(root))
			return err
		},
	}
	root.SetFlagErrorFunc(flagError)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(a.out)
	root.Flags().Bool("version", false, "print which keyward this is")
	f := root.PersistentFlags()
	f.Var((*place)(&a.store), "store", "the vault: `sqlite:PATH`, file:PATH or a path (or $"+storeEnv+"; else ~/.local/share/keyward/vault.db)")
	f.Var((*place)(&a.root), "root", "its root key: `file:PATH`, or the word passphrase to be asked for one (or $"+rootEnv+"; else ~/.config/keyward/root.key)")
	f.Var((*place)(&a.anchor), "anchor", "the head of the log in another place: `file:PATH` or sqlite:PATH (or $"+anchorEnv+"; else none); keyward anchor begins one")
	f.StringVar(&a.as, "as", "", "your `NAME` in the records (else your login)")
	f.StringVar(&a.reason, "reason", "", "why, for the records: a `TEXT`")

	root.AddGroup(
		&cobra.Group{ID: begin, Title: "Begin:"},
		&cobra.Group{ID: secret, Title: "Secrets:"},
		&cobra.Group{ID: agents, Title: "Agents:"},
		&cobra.Group{ID: alarm, Title: "When something leaked:"},
		&cobra.Group{ID: keep, Title: "Log and upkeep:"},
		&cobra.Group{ID: front, Title: "For other processes:"},
		&cobra.Group{ID: about, Title: "This command line:"},
	)
	add := func(group string, c *cobra.Command) {
		c.GroupID = group
		root.AddCommand(c)
	}
	add(begin, newInitCommand(a))
	add(secret, newSetCommand(a))
	add(secret, newGetCommand(a))
	add(secret, newListCommand(a))
	add(secret, newVersionsCommand(a))
	add(secret, newPolicyCommand(a))
	add(secret, newDeleteCommand(a))
	add(secret, newImportCommand(a))
	add(secret, newExportCommand(a))
	add(agents, newTokenCommand(a))
	add(agents, newRunCommand(a))
	add(agents, newAgentCommand(a))
	add(agents, newOperatorCommand(a))
	add(alarm, newWhoseCommand(a))
	add(alarm, newFreezeCommand(a))
	add(alarm, newThawCommand(a))
	add(alarm, newRotateCommand(a))
	add(alarm, newDestroyCommand(a))
	add(keep, newAuditCommand(a))
	add(keep, newCheckpointCommand(a))
	add(keep, newLogKeyCommand(a))
	add(keep, newAnchorCommand(a))
	add(keep, newBackupCommand(a))
	add(keep, newRestoreCommand(a))
	add(keep, newResetClockCommand(a))
	add(keep, newDoctorCommand(a))
	add(front, newServeCommand(a))
	add(front, newMCPCommand(a))
	add(about, newVersionCommand(a))
	addAbout(root)
	a.addJSON(root)
	addCompletion(root)
	return root
}

func init() { cobra.EnableCommandSorting = false } // they stand in the order of use

// overview lists the commands, a group a line.
func overview(root *cobra.Command) string {
	var b strings.Builder
	for _, g := range root.Groups() {
		var names []string
		for _, c := range root.Commands() {
			if c.GroupID == g.ID {
				names = append(names, c.Name())
			}
		}
		fmt.Fprintf(&b, "  %-22s %s\n", g.Title, strings.Join(names, ", "))
	}
	return b.String()
}

// execute runs the command line and returns the exit code.
func execute(ctx context.Context, a *app, args []string) int {
	root := newRootCommand(a)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	text, code := a.explain(err)
	if text != "" {
		fmt.Fprintf(a.err, "keyward: %s\n", plain(text))
	}
	return code
}
