// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/vault"
)

func newWhoseCommand(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "whose",
		Short: "Find the path of a value that leaked",
		Long: `Whose says at which paths a value is or was, also in versions that were deleted since. The value is asked for, or read from the
standard input or a file. If it is nowhere and was a line with other things around it, the words of that are tried, the first 16
of 8 bytes or more. Each question is recorded, without the value. Of a token or key of keyward itself, which is in no version, it
says the id and how to revoke it. The exit code is 4 if it is nowhere.`,
		Example: `  keyward whose
  keyward whose < leaked.txt`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noArgument("keyward whose")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			value, err := a.readValue(ctx, "the value that leaked", file, false)
			if err != nil {
				return err
			}
			return a.withOperator(ctx, func(v *vault.Vault, op *vault.Operator) error {
				items, err := a.whose(ctx, op, value)
				if err != nil {
					return err
				}
				known, unknown := a.tellOwn(ctx, v, value.Reveal())
				switch {
				case len(items) > 0 || known && a.json:
					return a.printVersions(items)
				case known || unknown != nil:
					return unknown
				}
				return fmt.Errorf("%w: no version has this value\n  give the value alone, without the line around it", vault.ErrNotFound)
			})
		},
	}
	c.Flags().StringVar(&file, "file", "", "read the value from this `FILE`")
	return c
}

// whose asks for the value, and if it is nowhere for the words in it.
func (a *app) whose(ctx context.Context, op *vault.Operator, value vault.Secret) ([]vault.Item, error) {
	items, err := op.Whose(ctx, value)
	if err != nil || len(items) > 0 {
		return items, err
	}
	for _, word := range wordsOf(value.Reveal()) {
		found, err := op.Whose(ctx, vault.NewSecret(word))
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	if len(items) > 0 {
		a.printf("the whole is nowhere, but a part of it is:")
	}
	return items, nil
}

const mostWords = 16

// wordsOf returns what may be a value in a line of a log or a file: what stands between white space, quotes and equals signs.
// One that ends with equals signs, as base64 does, is tried with them too.
func wordsOf(line string) (words []string) {
	const least = 8
	add := func(word string) {
		if len(word) >= least && word != line && len(words) < mostWords && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`", r) }) {
		for part := range strings.FieldsFuncSeq(word, func(r rune) bool { return r == '=' }) {
			add(part)
		}
		if _, value, ok := strings.Cut(word, "="); ok && strings.Contains(value, "=") {
			add(value)
		}
		if strings.Contains(word, "=") {
			add(word)
		}
	}
	return words
}
