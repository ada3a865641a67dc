// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// maxArgument bounds the name of an argument, which stands in the records.
const maxArgument = 128

// target is where an argument goes; without a URL: to none.
type target struct{ argument, method, url string }

// targets are Handles, read.
type targets map[string]target

// inside returns those that are inside of an argument, by the rest of their names.
func (h targets) inside(argument string) targets {
	var in targets
	for name, to := range h {
		if rest, ok := strings.CutPrefix(name, argument+"."); ok {
			if in == nil {
				in = targets{}
			}
			in[rest] = to
		}
	}
	return in
}

// targets reads h. An error names the argument, and not what is stated of it, in which a careless URL may hold a key.
func (h Handles) targets() (targets, error) {
	out := make(targets, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		to, err := parseTarget(h[name])
		if err == nil {
			err = checkArgument(name)
		}
		if err != nil {
			return nil, fmt.Errorf("agent: Handles: argument %q: %w", name, err)
		}
		to.argument = name
		out[name] = to
	}
	return out, nil
}

func parseTarget(s string) (target, error) {
	if s == "" {
		return target{}, nil
	}
	to := target{method: "GET", url: s}
	if method, url, ok := strings.Cut(s, " "); ok {
		to = target{method: method, url: url}
	}
	if to.method == "" || strings.HasPrefix(to.url, "/") { // which the vault would complete, by the policy of another place
		return target{}, fmt.Errorf("%w: [METHOD ]URL, with scheme and host", vault.ErrInvalid)
	}
	return to, vault.CheckURL(to.method, to.url)
}

func checkArgument(name string) error {
	if len(name) > maxArgument {
		return fmt.Errorf("%w: a name has at most %d bytes", vault.ErrInvalid, maxArgument)
	}
	for part := range strings.SplitSeq(name, ".") {
		if part == "" {
			return fmt.Errorf("%w: a name, or a part of it between dots, is empty", vault.ErrInvalid)
		}
		if strings.HasSuffix(part, "[]") {
			return fmt.Errorf("%w: lists take no handles", vault.ErrInvalid)
		}
	}
	return nil
}
