// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// keyChange is what the next keyring does differently. The zero value changes nothing but the generation, and drops the
// former token keys whose time is over.
type keyChange struct {
	now        time.Time
	newWrap    bool  // another AEAD key wraps; the former ones still open
	dropWraps  bool  // former AEAD keys go
	newToken   bool  // another token key signs; the former ones still verify
	retires    int64 // with newToken: the Unix second after which the key that was current has issued nothing
	dropTokens bool  // former token keys go, and with them every token that was issued under them
}

// maxFormer is how many former keys of a kind a keyring holds, so that it stays far below maxKeyring.
const maxFormer = 64

const retiredLen = 4 + 8

// next is the plaintext of the keyring that follows k, by one generation. State PRF and signer stay.
func (k *keyring) next(c keyChange) (plaintext []byte, err error) {
	n := &keyring{id: k.id, generation: k.generation + 1, sets: k.sets, retired: maps.Clone(k.retired)}
	if n.generation == 0 {
		return nil, fmt.Errorf("%w: the last generation of keys", ErrConflict)
	}
	if c.newToken {
		if n.retired == nil {
			n.retired = map[uint32]int64{}
		}
		n.retired[k.tokens.PrimaryID] = c.retires
	}
	if n.sets[0], err = nextSet(k.sets[0], c.newWrap, aead.AES256GCMKeyTemplate(), func(uint32) bool { return c.dropWraps }); err != nil {
		return nil, err
	}
	if n.sets[1], err = nextSet(k.sets[1], c.newToken, prf.HMACSHA256PRFKeyTemplate(), func(id uint32) bool {
		// What was issued under it is dead by now, whatever the MaxTTL of whoever opens the vault.
		return c.dropTokens || c.now.After(time.Unix(n.retired[id], 0).Add(longestTTL))
	}); err != nil {
		return nil, err
	}
	left := keyIDs(n.sets[1])
	maps.DeleteFunc(n.retired, func(id uint32, _ int64) bool { return !slices.Contains(left, id) })
	if n.sets[0].Len() > maxFormer+1 {
		return nil, fmt.Errorf("%w: %d former keys still wrap values: RotateKeys without Compromised re-wraps them", ErrConflict, maxFormer)
	}
	if n.sets[1].Len() > maxFormer+1 {
		return nil, fmt.Errorf("%w: %d former token keys still verify: wait until the oldest is %s old, or rotate with Compromised", ErrConflict, maxFormer, longestTTL)
	}
	return n.plaintext()
}

// nextSet adds a key to a keyset, as its primary, and takes away the former ones that are to go.
func nextSet(set *keyset.Handle, add bool, template *tinkpb.KeyTemplate, goes func(id uint32) bool) (*keyset.Handle, error) {
	m := keyset.NewManagerFromHandle(set)
	primary := primaryID(set)
	if add {
		id, err := m.Add(template)
		if err == nil {
			err = m.SetPrimary(id)
		}
		if err != nil {
			return nil, fmt.Errorf("make keys: %w", err)
		}
		primary = id
	}
	for _, id := range keyIDs(set) {
		if id != primary && goes(id) {
			if err := m.Delete(id); err != nil {
				return nil, fmt.Errorf("drop a key: %w", err)
			}
		}
	}
	return m.Handle()
}

// plaintext is what the root seals.
func (k *keyring) plaintext() ([]byte, error) {
	b := binary.BigEndian.AppendUint32(nil, format)
	b = appendPrefixed(b, k.id[:])
	b = appendPrefixed(b, binary.BigEndian.AppendUint32(nil, k.generation))
	for _, set := range k.sets {
		var out bytes.Buffer
		if err := insecurecleartextkeyset.Write(set, keyset.NewBinaryWriter(&out)); err != nil {
			return nil, fmt.Errorf("write keys: %w", err)
		}
		b = appendPrefixed(b, out.Bytes())
	}
	if len(k.retired) == 0 {
		return b, nil
	}
	var list []byte
	for _, id := range slices.Sorted(maps.Keys(k.retired)) {
		list = binary.BigEndian.AppendUint32(list, id)
		list = binary.BigEndian.AppendUint64(list, uint64(k.retired[id]))
	}
	return appendPrefixed(b, list), nil
}

// setRetired reads what stands behind the keysets: nothing, or the list of the former token keys, all of them, in the
// order of their ids.
func (k *keyring) setRetired(b []byte) bool {
	former := k.sets[1].Len() - 1
	if former == 0 {
		return len(b) == 0
	}
	list, rest, ok := cutPrefixed(b)
	if !ok || len(rest) != 0 || len(list) != former*retiredLen || former > maxFormer {
		return false
	}
	k.retired = map[uint32]int64{}
	for before := int64(-1); len(list) > 0; list = list[retiredLen:] {
		id, end := binary.BigEndian.Uint32(list), binary.BigEndian.Uint64(list[4:])
		if _, known := k.tokens.PRFs[id]; !known || id == k.tokens.PrimaryID || int64(id) <= before || end == 0 || end > yearLimit {
			return false
		}
		k.retired[id], before = int64(end), int64(id)
	}
	return true
}

// setWrapID finds the key that wraps. The id of each AEAD key has to stand in what it wraps, so that one can see what a
// rotation has still to re-wrap.
func (k *keyring) setWrapID() bool {
	k.wrapID = primaryID(k.sets[0])
	for i := range k.sets[0].Len() {
		e, err := k.sets[0].Entry(i)
		if err != nil {
			return false
		}
		if id, inside := e.Key().IDRequirement(); !inside || id != e.KeyID() {
			return false
		}
	}
	return k.sets[0].Len() <= maxFormer+1
}

// wrapped reports whether a wrapped data key is one of the key that wraps now: Tink puts 1 and the key's id in front.
func (k *keyring) wrapped(dataKey []byte) bool {
	return len(dataKey) > 5 && dataKey[0] == 1 && binary.BigEndian.Uint32(dataKey[1:]) == k.wrapID
}

// rotating reports whether a former AEAD key is still there.
func (k *keyring) rotating() bool { return k.sets[0].Len() > 1 }

// follows refuses a keyring that is not k at a later generation.
func (k *keyring) follows(old *keyring) error {
	if k.id != old.id || k.generation <= old.generation || k.verifier != old.verifier || k.signer != old.signer ||
		!bytes.Equal(k.sub(labelHead).Sum(nil), old.sub(labelHead).Sum(nil)) {
		return fmt.Errorf("%w: the keyring does not follow the one before", ErrTampered)
	}
	return nil
}

func primaryID(set *keyset.Handle) uint32 {
	e, err := set.Primary()
	if err != nil {
		return 0 // aead.New and prf.NewPRFSet refuse such a set
	}
	return e.KeyID()
}

func keyIDs(set *keyset.Handle) (ids []uint32) {
	for _, info := range set.KeysetInfo().GetKeyInfo() {
		ids = append(ids, info.GetKeyId())
	}
	return ids
}
