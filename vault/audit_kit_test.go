// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/vault"
)

type auditorFunc func(context.Context, []audit.Record) error

func (f auditorFunc) Audit(ctx context.Context, r []audit.Record) error { return f(ctx, r) }

func accept(context.Context, []audit.Record) error { return nil }

var _ vault.Auditor = auditorFunc(nil)
