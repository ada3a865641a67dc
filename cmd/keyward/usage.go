// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a mistake in what was typed.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

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
			return unknownCommand(cmd, args[0])
		}
		return nil
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	c.AddCommand(commands...)
	return c
}

// commandLike is what is shown again of a word that is no command. Others may be a value.
var commandLike = regexp.MustCompile(`^[a-z][a-z-]{0,15}$`)

func unknownCommand(parent *cobra.Command, word string) error {
	text := "there is no such command"
	if commandLike.MatchString(word) {
		text = "there is no command " + word
	}
	parent.SuggestionsMinimumDistance = 2
	if near := parent.SuggestionsFor(word); len(near) > 0 {
		text += ": do you mean " + strings.Join(near, " or ") + "?"
	}
	return usagef("%s\n  %s --help lists them", text, parent.CommandPath())
}

// together refuses a flag that needs another one, as wrong usage.
func together(cmd *cobra.Command, _ []string) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		for _, group := range f.Annotations["cobra_annotation_required_if_others_set"] {
			for name := range strings.FieldsSeq(group) {
				if !cmd.Flags().Changed(name) {
					err = usagef("--%s needs --%s too", f.Name, name)
				}
			}
		}
	})
	return err
}

// want checks the number of arguments; usage names them. More of them may be a value, so they are not quoted.
func want(least, most int, usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if most == 0 && len(args) > 0 {
			return usagef("%[1]s takes flags, and no arguments\n  see %[1]s --help", cmd.CommandPath())
		}
		if len(args) < least || len(args) > most {
			return usagef("usage: %s %s\n  see %s --help", cmd.CommandPath(), usage, cmd.CommandPath())
		}
		return nil
	}
}
