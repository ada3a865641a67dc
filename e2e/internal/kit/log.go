// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Record is of a record what a group is held to.
type Record struct {
	Op, Outcome, Cause, Agent, Path, Reason string
	Metadata                                map[string]string
}

// String is the record in one line: who did what to which path, how it ended, and why it was done or refused.
func (r Record) String() string {
	s := strings.Join([]string{r.Agent, r.Op, r.Path, r.Outcome}, " ")
	if r.Cause != "" {
		s += " (" + r.Cause + ")"
	}
	if r.Reason != "" {
		s += ": " + r.Reason
	}
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		s += ", " + key + " " + r.Metadata[key]
	}
	return s
}

// Records reads the log through the command.
func (k *Kit) Records(ctx context.Context) (records []Record, err error) {
	out, err := k.Keyward(ctx, "", "audit", "list", "--json")
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var r Record
		switch err := d.Decode(&r); {
		case errors.Is(err, io.EOF):
			return records, nil
		case err != nil:
			return nil, fmt.Errorf("keyward audit list --json: %w", err)
		}
		records = append(records, r)
	}
}

// Expect holds the log against what the agents were to do: every get and use of every agent, as Record.String has it, with
// how often it is there. So what was not to happen is found as well as what did not.
func (k *Kit) Expect(ctx context.Context, want map[string]int) error {
	records, err := k.Records(ctx)
	if err != nil {
		return err
	}
	got := map[string]int{}
	for _, r := range records {
		if r.Agent != "" && (r.Op == "get" || r.Op == "use") {
			got[r.String()]++
		}
	}
	if maps.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("the log is not what the agents were to do. It has\n%sand was to have\n%s", table(got), table(want))
}

func table(counts map[string]int) string {
	var b strings.Builder
	for _, line := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "    %d × %s\n", counts[line], line)
	}
	return b.String()
}
