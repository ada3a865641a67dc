// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"encoding/base64"
	"errors"
	"hash/crc32"
)

const (
	keyPrefix  = "kw_root_"
	keySumLen  = 6
	keyTextLen = len(keyPrefix) + 43 + keySumLen + 1 // 43: base64 of 32 bytes; 1: the newline

	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// errKeyText never says which byte is wrong, let alone quotes one.
var errKeyText = errors.New("it does not hold one whole kw_root_ line; put the right file back from your backup")

// formatKey is the content of a key file.
func formatKey(key []byte) []byte {
	s := keyPrefix + base64.RawURLEncoding.EncodeToString(key)
	return []byte(s + checksum(s) + "\n")
}

// parseKey accepts what formatKey writes, with or without its newline, and nothing else.
func parseKey(text []byte) ([]byte, error) {
	if len(text) == keyTextLen-1 {
		text = append(text[:keyTextLen-1:keyTextLen-1], '\n')
	}
	if len(text) != keyTextLen || string(text[:len(keyPrefix)]) != keyPrefix {
		return nil, errKeyText
	}
	body := text[len(keyPrefix) : keyTextLen-keySumLen-1]
	key, err := base64.RawURLEncoding.Strict().DecodeString(string(body))
	if err != nil || len(key) != keyLen || string(formatKey(key)) != string(text) {
		return nil, errKeyText
	}
	return key, nil
}

// checksum is CRC-32 (IEEE) in six base62 digits, as in every other bearer of keyward: it finds slips of the hand, and
// lets secret scanners tell a real key from a look-alike.
func checksum(s string) string {
	var out [keySumLen]byte
	n := crc32.ChecksumIEEE([]byte(s))
	for i := keySumLen - 1; i >= 0; i-- {
		out[i] = base62[n%62]
		n /= 62
	}
	return string(out[:])
}
