// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// finding is what one check has found.
type finding struct {
	Level string `json:"level"` // ok, warning or problem
	Check string `json:"check"`
	Text  string `json:"text"`
	Next  string `json:"next,omitempty"` // what to do
}

// doctor is one visit.
type doctor struct {
	*app
	findings []finding
	refused  bool // the store would refuse a file
	tampered bool
}

func (d *doctor) ok(check, format string, args ...any) {
	d.findings = append(d.findings, finding{"ok", check, fmt.Sprintf(format, args...), ""})
}

func (d *doctor) warn(check, next, format string, args ...any) {
	d.findings = append(d.findings, finding{"warning", check, fmt.Sprintf(format, args...), next})
}

func (d *doctor) problem(check, next, format string, args ...any) {
	d.findings = append(d.findings, finding{"problem", check, fmt.Sprintf(format, args...), next})
}

// failed reports err as a problem, with the advice that every command gives.
func (d *doctor) failed(check string, err error) {
	text, code := d.explain(err)
	text, next, _ := strings.Cut(text, "\n  ")
	d.tampered = d.tampered || code == exitTampered
	d.problem(check, next, "%s", text)
}

func (d *doctor) has(level string) bool {
	for _, f := range d.findings {
		if f.Level == level {
			return true
		}
	}
	return false
}

func newDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong or weak, and say what to do",
		Long: `Doctor looks at the files, the root key, the anchor, the clock, the keys and the policies, and reads and checks the whole log
and every sealed value. It changes nothing; that it lists paths and keys is recorded, and that it reads all as a backup does. The
exit code is 1 if there is a problem, and 5 if the store was changed or rolled back; warnings alone are 0.`,
		Example: `  keyward doctor
  keyward doctor --json | jq '.[] | select(.level != "ok")'`,
		Args: want(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{app: a}
			if err := d.visit(cmd.Context()); err != nil {
				return err
			}
			if err := d.print(); err != nil {
				return err
			}
			switch {
			case d.tampered:
				return exitCode(exitTampered)
			case d.has("problem"):
				return exitCode(exitFailure)
			}
			return nil
		},
	}
}

// visit makes all checks. An error is one that keeps doctor itself from its work.
func (d *doctor) visit(ctx context.Context) error {
	kind, path, err := d.existingPath()
	if err != nil {
		return err
	}
	keyPath, err := d.rootPath()
	if err != nil {
		return err
	}
	_, anchorPath, err := d.anchorPath()
	if err != nil {
		return err
	}
	d.checkFiles("store", path, "", "-wal", "-shm", "-journal", "-new", "-head", "-lock")
	if keyPath == "" {
		d.ok("root key", "is a passphrase")
	} else {
		d.checkFiles("root key", keyPath, "")
		d.checkApart(keyPath, path)
	}
	d.checkAnchor(anchorPath, path)
	if d.refused {
		d.warn("vault", "when that is done, call keyward doctor again", "was not opened: it refuses the files above")
		return nil
	}
	if err := d.checkVault(ctx, kind, path); err != nil {
		return err
	}
	return ctx.Err()
}

// print prints the findings.
func (d *doctor) print() error {
	if d.json {
		return d.printJSON(d.findings)
	}
	for _, f := range d.findings {
		text := fmt.Sprintf("%-8s %-9s %s", f.Level, f.Check, strings.ReplaceAll(f.Text, "\n", " "))
		if f.Next != "" {
			text += "\n                   → " + strings.ReplaceAll(f.Next, "\n", " ")
		}
		if _, err := fmt.Fprintln(d.out, plain(text)); err != nil {
			return err
		}
	}
	return nil
}
