// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/keyward-go/keyward/vault"
)

// itemJSON is an item without its value.
type itemJSON struct {
	Path     string            `json:"path"`
	Version  int               `json:"version"`
	Value    *string           `json:"value,omitempty"` // of get alone
	Created  time.Time         `json:"created,omitzero"`
	Reason   string            `json:"reason,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	policyJSON
}

type policyJSON struct {
	Type      string    `json:"type,omitempty"`
	Tier      string    `json:"tier,omitempty"`
	Hosts     []string  `json:"hosts,omitempty"`
	Networks  []string  `json:"networks,omitempty"`
	Placement string    `json:"placement,omitempty"`
	Expires   time.Time `json:"expires,omitzero"`
}

// tierOf is the tier of a policy, also if none was ever set.
func tierOf(p vault.Policy) string { return string(cmp.Or(p.Tier, vault.Standard)) }

func itemOf(it vault.Item) itemJSON {
	p := it.Policy
	return itemJSON{
		Path: it.Path, Version: it.Version, Created: it.Created, Reason: it.Reason, Metadata: it.Metadata,
		policyJSON: policyJSON{p.Type, tierOf(p), p.Hosts, texts(p.Networks), p.Placement, p.Expires},
	}
}

func itemsOf(items []vault.Item) []itemJSON {
	out := make([]itemJSON, 0, len(items)) // not null in JSON
	for _, it := range items {
		out = append(out, itemOf(it))
	}
	return out
}

// printVersions prints which versions there are.
func (a *app) printVersions(items []vault.Item) error {
	var rows [][]string
	for _, it := range items {
		rows = append(rows, []string{it.Path, strconv.Itoa(it.Version), when(it.Created), it.Reason})
	}
	return a.printTable(itemsOf(items), "PATH VERSION CREATED REASON", rows)
}

// printItems prints what paths there are, with their policies.
func (a *app) printItems(items []vault.Item) error {
	var rows [][]string
	for _, it := range items {
		p := it.Policy
		rows = append(rows, []string{
			it.Path, strconv.Itoa(it.Version), p.Type, tierOf(p), strings.Join(p.Hosts, "; "), when(p.Expires), when(it.Created),
		})
	}
	return a.printTable(itemsOf(items), "PATH VERSION TYPE TIER HOSTS EXPIRES CREATED", rows)
}
