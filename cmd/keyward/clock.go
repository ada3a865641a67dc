// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newResetClockCommand(a *app) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "reset-clock",
		Short: "Let time go back in the log, after a wrong clock",
		Long: `Reset-clock is for a clock that was ahead when the last record was written, and is right again: without it everything is refused
until the time of that record has come. Set every clock right first. Every token is dead then, since it could outlive its time;
agent keys, operators and freezes stay. It asks for a word to be typed, or for --yes.`,
		Example: `  keyward reset-clock --reason 'the clock was a year ahead after the battery failed'`,
		Args:    want(0, 0, "--reason TEXT"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if a.reason == "" {
				return usagef("this needs a --reason: it will be asked about")
			}
			if !yes {
				if err := a.confirm(ctx, "reset-clock"); err != nil {
					return err
				}
			}
			return a.withOperator(ctx, func(_ *vault.Vault, op *vault.Operator) error {
				if err := op.ResetClock(ctx, a.reason); err != nil {
					return err
				}
				a.printf("time goes on from the clock of this machine; every token is dead")
				return nil
			})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
