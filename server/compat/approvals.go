// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"github.com/keyward-go/keyward/internal/front"
)

// Until keyward has approvals, tokens are issued at once and refused at the use of what would need one.

const noApproval = "there is no such approval: keyward issues tokens at once, and refuses a sensitive or critical secret to every token when it is used; an operator reads it, or lowers its tier"

func (q *request) approvals() (any, error) {
	if _, err := q.by.Operator.Keys(q.Context()); err != nil { // whoever asks is to be an operator
		return nil, err
	}
	return struct {
		Items []struct{} `json:"items"`
		Total int        `json:"total"`
	}{Items: []struct{}{}}, nil
}

func (q *request) decideApproval() (any, error) {
	if _, err := q.by.Operator.Keys(q.Context()); err != nil {
		return nil, err
	}
	return nil, nothing(noApproval)
}

func (q *request) ownApproval() (any, error) {
	if _, err := q.by.Door().Claims(q.Context()); err != nil {
		return nil, front.RefusalOf(err)
	}
	return nil, nothing(noApproval)
}
