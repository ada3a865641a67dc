// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newSetCommand(a *app) *cobra.Command {
	var policy policyFlags
	var file string
	var raw bool
	c := &cobra.Command{
		Use:   "set PATH",
		Short: "Put a value, as the next version",
		Long: `Set asks for the value and does not show it, or reads it from the standard input or a file. It is never an argument, since
other users can read those. A value of one line loses its newline; one of several lines is kept as it is, and is refused where it is
asked for: pasted there, its first line would be taken for the whole.

The flags make the policy of a new path. On a path that is there they can only make it stricter: see keyward policy set.`,
		Example: `  keyward set production/search/key --host api.tavily.com
  keyward set production/search/key < key.txt
  keyward set production/deploy/ssh-key --file id_ed25519 --type ssh_key --reason 'new server'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return noArgument("keyward set PATH")
			}
			return want(1, 1, "PATH [--file FILE]")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := policy.check(); err != nil {
				return err
			}
			value, err := a.readValue(ctx, "value of "+args[0], file, raw)
			if err != nil {
				return err
			}
			return a.withCaller(ctx, func(c caller) error {
				it := vault.Item{Path: args[0], Value: value, Policy: policy.policy(), Reason: a.reason}
				if it.Version, err = c.Put(ctx, it); err != nil {
					return err
				}
				if a.json {
					err = a.printJSON(map[string]any{"path": it.Path, "version": it.Version})
				} else {
					a.printf("%s is set: version %d", it.Path, it.Version)
				}
				a.warnOfPut(ctx, c, it)
				return err
			})
		},
	}
	policy.add(c.Flags())
	c.Flags().StringVar(&file, "file", "", "read the value from this `FILE`")
	c.Flags().BoolVar(&raw, "raw", false, "keep every byte, a last newline too")
	return c
}

// noArgument refuses a value as an argument of a command.
func noArgument(command string) error {
	return usagef("a value is no argument, since other users can read those and your shell keeps them: if it was one, replace it.\n"+
		"  %[1]s asks for it; %[1]s --file FILE reads a file; so does %[1]s < FILE", command)
}
