// SPDX-License-Identifier: Apache-2.0

package vendor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/keyward-go/keyward/e2e/internal/kit"
)

const killRounds = 5

// Kill is the SDK at a server that is killed.
var Kill = kit.Group{
	Name:   "vendor-kill",
	Proves: "kill -9 of the server under load from the SDK: each read that was answered is recorded",
	Serve:  []string{"--compat", "--rate", "1000000", "--burst", "1000000"},
	Run: func(ctx context.Context, k *kit.Kit) error {
		key, err := k.Keyward(ctx, "", "agent", "create", "researcher", "--scope", "secrets:*:production/*", "--ttl", "1h")
		if err != nil {
			return err
		}
		answered := map[string]int{}
		for round := range killRounds {
			path := fmt.Sprintf("production/kill/round-%d", round)
			w, err := start(ctx, k, "kill.cjs", "RESEARCHER="+key, "KILL_PATH="+path, fmt.Sprint("SERVER=", k.ServerPID()))
			if err != nil {
				return err
			}
			var n int
			if _, err := fmt.Sscanf(strings.TrimSpace(w.Output()), "answered %d", &n); err != nil {
				return fmt.Errorf("%q: %w", w.Output(), err)
			}
			answered[path] = n
			if err := k.Restart(ctx); err != nil {
				return err
			}
		}
		records, err := k.Records(ctx)
		if err != nil {
			return err
		}
		if err := recorded(records, answered); err != nil {
			return err
		}
		// As if one more had been answered than was recorded: this has to be found.
		for path := range answered {
			answered[path] = count(records, path) + 1
			if recorded(records, answered) == nil {
				return errors.New("an answer without a record would not be found")
			}
			break
		}
		return nil
	},
}

// recorded says which path has more answers than records of a read.
func recorded(records []kit.Record, answered map[string]int) error {
	all, have := 0, 0
	for path, n := range answered {
		got := count(records, path)
		if got < n {
			return fmt.Errorf("%s: %d reads were answered and %d recorded", path, n, got)
		}
		all, have = all+n, have+got
	}
	fmt.Printf("  %d kills: %d reads answered, %d recorded\n", len(answered), all, have)
	return nil
}

func count(records []kit.Record, path string) (n int) {
	for _, r := range records {
		if r.Op == "get" && r.Outcome == "granted" && r.Path == path {
			n++
		}
	}
	return n
}
