// SPDX-License-Identifier: Apache-2.0

package compat_test

import (
	"fmt"
	"strings"
	"testing"
)

// A zero that a client says is not taken for one that it did not say, which would give more than was asked for.
func TestZeros(t *testing.T) {
	b := newBed(t, nil)
	for body, want := range map[string]int{
		`"max_uses":0`: 400, `"max_uses":-0`: 400, `"max_uses":-1`: 400, `"max_uses":1.0`: 400, `"max_uses":1e2`: 400, `"max_uses":"1"`: 400,
		`"max_uses":9223372036854775808`: 400, `"max_uses":null`: 400, `"max_uses":1`: 200,
		`"ttl_seconds":0`: 400, `"ttl_seconds":-0`: 400, `"ttl_seconds":-5`: 400, `"ttl_seconds":4294967296`: 400, `"ttl_seconds":1e999`: 400,
		`"ttl_seconds":null`: 400, `"ttl_seconds":60`: 200, `"ttl":1e999`: 400, `"ttl":-0`: 400, `"ttl":"","ttl_seconds":60`: 400,
		`"ttl":60,"ttl_seconds":0`: 400, `"ttl":"1h","ttl_seconds":null`: 400,
		`"ip_allowlist":[""]`: 400, `"ip_allowlist":["::ffff:10.0.0.1"]`: 400, `"ip_allowlist":["fe80::1%lo"]`: 400, `"ip_allowlist":["10.0.0.1/8"]`: 400,
	} {
		resp, text := b.send(t, "secrets:read:production/*", "POST", "/v1/tokens", `{"scopes":["read:secrets"],`+body+`}`)
		if resp.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", body, resp.StatusCode, text, want)
		}
	}
}

// One call stores a thousand keys at most, and with one more it stores none.
func TestImportBound(t *testing.T) {
	b := newBed(t, nil)
	var file strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&file, "K%d=x\\n", i)
	}
	const who = "secrets:write:staging/*"
	b.check(t, []row{{who, "POST", "/v1/secrets/import", `{"namespace":"staging","content":"` + file.String() + `"}`, 400, "more than 1000 keys", "get denied invalid"}})
}
