// SPDX-License-Identifier: Apache-2.0

package kms

import "github.com/keyward-go/keyward/vault"

// CheapPassphrase is Passphrase at next to no cost, for tests that open thousands of times.
func CheapPassphrase(p vault.Secret) vault.RootKey {
	c := cost{passes: 1, memory: 64, lanes: 1}
	return passphrase(p, c, c)
}

// ParsePassHead reads the head that Passphrase writes, under its real bounds.
func ParsePassHead(b []byte) (passes, memory uint32, lanes uint8, err error) {
	c, _, err := parsePassHead(b, written)
	return c.passes, c.memory, c.lanes, err
}

var (
	FormatKey = formatKey
	ParseKey  = parseKey
)

const (
	MaxPlaintext = maxPlaintext
	MaxUnderWay  = maxUnderWay
)
