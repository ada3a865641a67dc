// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"github.com/keyward-go/keyward/vault"
)

type frozen struct {
	Kind   string `json:"kind" enum:"path,agent,run,user,tenant" about:"What is frozen."`
	Value  string `json:"value" about:"Which: its name, for a path a pattern as in a scope."`
	Reason string `json:"reason,omitzero" about:"Why, for the record: 1 KiB at most."`
}

func freeze(ctx context.Context, o *vault.Operator, in frozen) (done, error) {
	return done{}, o.Freeze(ctx, vault.Frozen{Kind: in.Kind, Value: in.Value}, in.Reason)
}

func thaw(ctx context.Context, o *vault.Operator, in frozen) (done, error) {
	return done{}, o.Thaw(ctx, vault.Frozen{Kind: in.Kind, Value: in.Value}, in.Reason)
}

type freezeList struct {
	Freezes []frozen `json:"freezes" about:"By kind and value."`
}

func freezes(ctx context.Context, o *vault.Operator, _ nothing) (freezeList, error) {
	all, err := o.Freezes(ctx)
	out := freezeList{make([]frozen, 0, len(all))}
	for _, f := range all {
		out.Freezes = append(out.Freezes, frozen{Kind: f.Kind, Value: f.Value})
	}
	return out, err
}

type value struct {
	Value string `json:"value" about:"A value that was found somewhere. It is compared by its fingerprint, and not recorded."`
}

func whose(ctx context.Context, o *vault.Operator, in value) (items, error) {
	all, err := o.Whose(ctx, vault.NewSecret(in.Value))
	return itemsOf(all), err
}

func destroy(ctx context.Context, o *vault.Operator, in secretRequest) (done, error) {
	return done{}, o.Destroy(ctx, in.request())
}
