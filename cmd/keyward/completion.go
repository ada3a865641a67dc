// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// fixed are the words that flags take. Completion knows these and the names of files, and never opens a vault.
var fixed = map[string][]string{
	"format":  {"dotenv", "json"},
	"op":      operations,
	"outcome": {"granted", "denied", "failed"},
	"tier":    {"standard", "sensitive", "critical"},
	"type":    {"api_key", "oauth_token", "db_credential", "ssh_key", "certificate", "custom"},
}

// addCompletion gives the commands below c their words, and takes the names of files from where no file is meant.
func addCompletion(c *cobra.Command) {
	if c.ValidArgsFunction == nil && !strings.Contains(c.Use, "FILE") && !strings.Contains(c.Use, "PROGRAM") {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		complete := cobra.NoFileCompletions
		switch name, _ := pflag.UnquoteUsage(f); {
		case name == "FILE", strings.Contains(name, ":PATH"):
			return
		case f.Name == "by":
			complete = completeGroups
		case fixed[f.Name] != nil:
			complete = cobra.FixedCompletions(fixed[f.Name], cobra.ShellCompDirectiveNoFileComp)
		}
		if f.Name != "help" {
			_ = c.RegisterFlagCompletionFunc(f.Name, complete) // it fails for a flag that is not there, or has one
		}
	})
	for _, sub := range c.Commands() {
		addCompletion(sub)
	}
}

// completeGroups completes the last of several fields.
func completeGroups(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndex(typed, ",")+1]
	var all []string
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		all = append(all, before+name)
	}
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// addAbout adds the commands that cobra would add, such that a word that they do not know is wrong usage.
func addAbout(root *cobra.Command) {
	root.SetCompletionCommandGroupID(about)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Short = "Print the completions of a shell"
		c.Example = "  keyward completion bash"
		for _, shell := range c.Commands() {
			shell.Example = "  keyward completion " + shell.Name()
			shell.Args = want(0, 0, "")
		}
		family(c)
	}
	help := &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Say how a command is used",
		Example: "  keyward help token issue",
		GroupID: about,
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(c, rest[0])
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
	root.SetHelpCommand(help)
	root.AddCommand(help)
}
