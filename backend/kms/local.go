// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/keyward-go/keyward/vault"
)

const (
	keyLen   = 32
	checkLen = 32
	nonceLen = 12
	tagLen   = 16

	infoSeal  = "keyward root seal"
	infoCheck = "keyward root check"
)

// sealLocal is header ‖ check value ‖ nonce ‖ AES-256-GCM. Both keys are derived from the root under labels of their own,
// so that the check value, which everybody may read, says nothing about the key that encrypts.
func sealLocal(key, header, plaintext, data []byte) ([]byte, error) {
	aead, check, err := derive(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(header)+checkLen+nonceLen+len(plaintext)+tagLen)
	out = append(append(out, header...), check...)
	return aead.Seal(out, nil, plaintext, bind(out, data)), nil
}

// openLocal opens what sealLocal wrote under a header of n bytes.
//
// The check value tells a wrong key from changed bytes. It can only do so while it is itself unchanged: to somebody who
// overwrote it the right key looks like a wrong one, and the answer is ErrWrongKey. Both refuse. It also commits to the
// key: no ciphertext opens under two of them.
func openLocal(key []byte, n int, ciphertext, data []byte) ([]byte, error) {
	if len(ciphertext) < n+checkLen+nonceLen+tagLen {
		return nil, fmt.Errorf("%w: it was cut", vault.ErrTampered)
	}
	aead, check, err := derive(key)
	if err != nil {
		return nil, err
	}
	head, sealed := ciphertext[:n+checkLen], ciphertext[n+checkLen:]
	if subtle.ConstantTimeCompare(head[n:], check) != 1 {
		return nil, vault.ErrWrongKey
	}
	plaintext, err := aead.Open(nil, nil, sealed, bind(head, data))
	if err != nil {
		return nil, fmt.Errorf("%w: the key is right, the bytes are not", vault.ErrTampered)
	}
	return plaintext, nil
}

func derive(key []byte) (aead cipher.AEAD, check []byte, err error) {
	check, err = hkdf.Key(sha256.New, key, nil, infoCheck, checkLen)
	if err != nil {
		return nil, nil, err
	}
	sealKey, err := hkdf.Key(sha256.New, key, nil, infoSeal, keyLen)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(sealKey)
	if err != nil {
		return nil, nil, err
	}
	aead, err = cipher.NewGCMWithRandomNonce(block)
	return aead, check, err
}

// bind is what is authenticated beside the sealed bytes: each part behind its length, so that no two pairs are alike.
func bind(head, data []byte) []byte {
	b := make([]byte, 0, 8+len(head)+len(data))
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(head))), head...)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...)
}
