// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/keyward-go/keyward/vault"
)

// FuzzMark: no bytes without the key are a mark, and fields that are read are written the same.
func FuzzMark(f *testing.F) {
	k := vault.NewKeyring()
	m := newMarked(f)
	for _, mark := range m.marks {
		f.Add(mark)
	}
	f.Add([]byte{})
	f.Add(make([]byte, vault.HeadFields))
	f.Fuzz(func(t *testing.T, mark []byte) {
		if err := vault.ParseMark(k, mark); !errors.Is(err, vault.ErrTampered) {
			t.Errorf("it was taken for a mark: %v", err)
		}
		if len(mark) < vault.HeadFields {
			return
		}
		fields := bytes.Clone(mark[:vault.HeadFields])
		binary.BigEndian.PutUint32(fields, 1) // the format: the HMAC, or the row, has it checked
		again, err := vault.RecodeMark(k, fields)
		if errors.Is(err, vault.ErrTampered) {
			return
		}
		if err != nil || !bytes.Equal(again, fields) {
			t.Errorf("%x became %x: %v", fields, again, err)
		}
	})
}
