// SPDX-License-Identifier: Apache-2.0

package compat

// Until keyward has approvals, tokens are issued at once and refused at the use of what would need one.

const noApproval = "there is no such approval: keyward issues tokens at once, and refuses a sensitive or critical secret to every token when it is used; an operator reads it, or lowers its tier"

func (q *request) approvals() (any, error) {
	if _, err := q.by.Operator.Claims(q.Context()); err != nil {
		return nil, unasked(err)
	}
	return struct {
		Items []struct{} `json:"items"`
		Total int        `json:"total"`
	}{Items: []struct{}{}}, nil
}

func (q *request) decideApproval() (any, error) {
	if _, err := q.by.Operator.Claims(q.Context()); err != nil {
		return nil, unasked(err)
	}
	return nil, nothing(noApproval)
}

func (q *request) ownApproval() (any, error) {
	if _, err := q.session().Claims(q.Context()); err != nil {
		return nil, unasked(err)
	}
	return nil, nothing(noApproval)
}
