// SPDX-License-Identifier: Apache-2.0

package kms_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/v2/aead"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/vault"
)

// Two keys, either of which opens the vault.
func ExampleEither() {
	ctx := context.Background()
	service := func(name string) vault.RootKey { // a key service that lives in this process
		key := make([]byte, 32)
		rand.Read(key)
		w := aead.NewWrapper()
		if _, err := w.SetConfig(ctx, wrapping.WithKeyId(name), aead.WithKey(key)); err != nil {
			panic(err)
		}
		return kms.Wrapper(w)
	}
	first, spare := service("first"), service("spare")
	sealed, err := kms.Either(first, spare).EncryptWithContext(ctx, []byte("a keyring"), []byte("vault 7"))
	if err != nil {
		fmt.Println(err)
		return
	}

	lost := service("made again after the first was lost")
	keyring, err := kms.Either(lost, spare).DecryptWithContext(ctx, sealed, []byte("vault 7"))
	fmt.Println(string(keyring), err)

	_, err = kms.Either(lost).DecryptWithContext(ctx, sealed, []byte("vault 7"))
	fmt.Println(err)
	// Output:
	// a keyring <nil>
	// kms.Either: open: root 1: kms.Wrapper: open: wrong root key: the wrapper uses another than the one that sealed it
}

// A root that lives and dies with the process, for tests: go-kms-wrapping's own aead wrapper with a random key.
func ExampleWrapper() {
	ctx := context.Background()
	key := make([]byte, 32)
	rand.Read(key)
	w := aead.NewWrapper()
	if _, err := w.SetConfig(ctx, wrapping.WithKeyId("in memory"), aead.WithKey(key)); err != nil {
		fmt.Println(err)
		return
	}
	root := kms.Wrapper(w)

	sealed, err := root.EncryptWithContext(ctx, []byte("a keyring"), []byte("vault 7"))
	if err != nil {
		fmt.Println(err)
		return
	}
	keyring, err := root.DecryptWithContext(ctx, sealed, []byte("vault 7"))
	fmt.Println(string(keyring), err)

	sealed[len(sealed)/2] ^= 1
	_, err = root.DecryptWithContext(ctx, sealed, []byte("vault 7"))
	fmt.Println(errors.Is(err, vault.ErrTampered))
	// Output:
	// a keyring <nil>
	// true
}
