// SPDX-License-Identifier: Apache-2.0

package anchor_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/backend/anchor"
	"github.com/keyward-go/keyward/backend/memory"
	"github.com/keyward-go/keyward/vault"
)

// A head is anchored by whoever still knows the one before: of two copies of a vault, one stops.
func ExampleIn() {
	ctx := context.Background()
	elsewhere := memory.New() // a store on another machine
	defer elsewhere.Close()
	a := anchor.In(elsewhere, "research-service")

	never, err := a.Load(ctx)
	fmt.Println(never.Size, err)

	first := audit.Head{Size: 7, Root: [32]byte{1}}
	fmt.Println(a.Advance(ctx, never, first))
	fmt.Println(a.Advance(ctx, first, audit.Head{Size: 9, Root: [32]byte{2}}))

	err = a.Advance(ctx, first, audit.Head{Size: 8, Root: [32]byte{3}}) // the copy
	fmt.Println(errors.Is(err, vault.ErrConflict))
	// Output:
	// 0 <nil>
	// <nil>
	// <nil>
	// true
}
