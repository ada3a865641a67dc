// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"time"

	"github.com/keyward-go/keyward/scope"
)

// rowKey names a deciding row. As text it is "s:<path>", "v:<path>:<n>", "t:<link id>", "k:<id>" or
// "f:<kind>:<value>"; the sealed value of a version stands under "x:<path>:<n>". What decides nothing by itself, "head",
// "keyring" and "cut", is not among them.
type rowKey struct {
	kind byte   // s, v, t, k, f
	name string // of a freeze "<kind>:<value>"
	n    int    // version, for v
}

func (k rowKey) String() string {
	s := string(k.kind) + ":" + k.name
	if k.kind == 'v' || k.kind == 'x' {
		s += ":" + strconv.Itoa(k.n)
	}
	return s
}

func parseRowKey(s string) (k rowKey, err error) {
	if len(s) < 3 || s[1] != ':' || strings.IndexByte("svtkf", s[0]) < 0 {
		return k, fmt.Errorf("%w: unknown row", ErrTampered)
	}
	k = rowKey{kind: s[0], name: s[2:]}
	if k.kind == 'v' {
		i := strings.LastIndexByte(s, ':')
		k.name = s[2:max(i, 2)]
		if k.n, err = strconv.Atoi(s[i+1:]); err != nil {
			return k, fmt.Errorf("%w: row without a version", ErrTampered)
		}
	}
	if k.String() != s {
		return k, fmt.Errorf("%w: row key with a second spelling", ErrTampered)
	}
	return k, nil
}

// The sealed values stand behind all other rows.
const (
	sealedRows   = "x:"
	behindSealed = "x;"
)

// The deciding rows as they are in memory. They are not changed once they are in the state: a new value replaces the old.
type (
	secretRow struct { // s: of a path
		Policy Policy
		Next   int         // the number of the next version
		hosts  []hostEntry // of the policy, parsed
	}
	versionRow struct { // v:
		Created     time.Time
		Reason      string
		Metadata    map[string]string
		Fingerprint [16]byte
		DataKey     []byte   // wrapped; nil if gone
		Sum         [32]byte // SHA-256 of the sealed row
		Gone        bool
	}
	tokenRow struct { // t: of a link
		Uses    int
		Revoked bool
		Expires int64 // Unix seconds: the row says nothing after
	}
	keyRow struct { // k: of an agent key or remote operator
		Name     string
		Operator bool
		Hash     [32]byte
		Limits   Link // issued, expires and the grant within which it may issue
		TTL      time.Duration
		Revoked  bool
	}
	freezeRow struct { // f:
		Reason string
		Since  time.Time
		Thawed bool
	}
)

func newSecretRow(p Policy, next int) *secretRow {
	r := &secretRow{Policy: p.clone(), Next: next}
	for _, entry := range p.Hosts {
		h, _ := parseHost(entry) // checked before
		r.hosts = append(r.hosts, h)
	}
	return r
}

type (
	secretJSON struct {
		Policy policyJSON `json:"policy"`
		Next   int        `json:"next"`
	}
	versionJSON struct {
		Created     time.Time         `json:"created"`
		Reason      string            `json:"reason,omitempty"`
		Metadata    map[string]string `json:"metadata,omitempty"`
		Fingerprint []byte            `json:"fingerprint"`
		DataKey     []byte            `json:"key,omitempty"`
		Sum         []byte            `json:"sum,omitempty"`
		Gone        bool              `json:"gone,omitempty"`
	}
	tokenJSON struct {
		Uses    int   `json:"uses,omitempty"`
		Revoked bool  `json:"revoked,omitempty"`
		Expires int64 `json:"expires"`
	}
	keyJSON struct {
		Name     string    `json:"name"`
		Operator bool      `json:"operator,omitempty"`
		Hash     []byte    `json:"hash"`
		Limits   grantJSON `json:"limits"`
		Revoked  bool      `json:"revoked,omitempty"`
	}
	freezeJSON struct {
		Reason string    `json:"reason,omitempty"`
		Since  time.Time `json:"since"`
		Thawed bool      `json:"thawed,omitempty"`
	}
)

// encodeRow is the JSON text of a deciding row.
func encodeRow(row any) ([]byte, error) {
	switch r := row.(type) {
	case *secretRow:
		return json.Marshal(secretJSON{r.Policy.json(), r.Next})
	case *versionRow:
		if r.Gone {
			return json.Marshal(versionJSON{Created: r.Created, Reason: r.Reason, Metadata: r.Metadata, Fingerprint: r.Fingerprint[:], Gone: true})
		}
		return json.Marshal(versionJSON{r.Created, r.Reason, r.Metadata, r.Fingerprint[:], r.DataKey, r.Sum[:], false})
	case *tokenRow:
		return json.Marshal(tokenJSON(*r))
	case *keyRow:
		l := r.Limits
		l.Grant.TTL = r.TTL
		return json.Marshal(keyJSON{r.Name, r.Operator, r.Hash[:], l.json(), r.Revoked})
	case *freezeRow:
		return json.Marshal(freezeJSON(*r))
	}
	return nil, fmt.Errorf("row of type %T", row)
}

// decodeRow reads what encodeRow wrote. That the bytes are those is for the MAC of the head; that they are understood, for its
// format.
func decodeRow(k rowKey, data []byte) (row any, err error) {
	switch k.kind {
	case 's':
		var j secretJSON
		err = json.Unmarshal(data, &j)
		row = newSecretRow(j.Policy.policy(), j.Next)
		if scope.CheckPath(k.name) != nil || j.Next < 1 || j.Policy.policy().checkForm() != nil {
			err = ErrTampered
		}
	case 'v':
		var j versionJSON
		err = json.Unmarshal(data, &j)
		r := &versionRow{Created: j.Created, Reason: j.Reason, Metadata: j.Metadata, DataKey: j.DataKey, Gone: j.Gone}
		if copy(r.Fingerprint[:], j.Fingerprint) != len(r.Fingerprint) || k.n < 1 || !j.Gone && copy(r.Sum[:], j.Sum) != len(r.Sum) {
			err = ErrTampered
		}
		row = r
	case 't':
		var j tokenJSON
		err = json.Unmarshal(data, &j)
		r := tokenRow(j)
		row = &r
		if j.Uses < 0 {
			err = ErrTampered
		}
	case 'k':
		var j keyJSON
		err = json.Unmarshal(data, &j)
		r := &keyRow{Name: j.Name, Operator: j.Operator, Revoked: j.Revoked, Limits: j.Limits.link(keyPrefix + k.name)}
		r.TTL, r.Limits.Grant.TTL = r.Limits.Grant.TTL, 0
		if copy(r.Hash[:], j.Hash) != len(r.Hash) || !isHexID(k.name) {
			err = ErrTampered
		}
		row = r
	case 'f':
		var j freezeJSON
		err = json.Unmarshal(data, &j)
		r := freezeRow(j)
		row = &r
		if frozenOf(k).check() != nil {
			err = ErrTampered
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: a row of kind %c cannot be read", ErrTampered, k.kind)
	}
	return row, nil
}

// readEntry reads a deciding row as the state holds it. mac is that of labelRow, and not shared.
func readEntry(mac hash.Hash, r Row) (k rowKey, e entry, err error) {
	if k, err = parseRowKey(r.Key); err != nil {
		return k, entry{}, err
	}
	row, err := decodeRow(k, r.Data)
	if err != nil {
		return k, entry{}, err
	}
	return k, entry{row: row, seq: r.Seq, mac: rowMAC(mac, r.Key, r.Seq, r.Data)}, nil
}
