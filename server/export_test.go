// SPDX-License-Identifier: Apache-2.0

package server

import "reflect"

// Operation is a row of the table, for tests that must have one for each.
type Operation struct {
	Name, About, By string
	In, Out         reflect.Type
}

// Operations is the table.
func Operations() (all []Operation) {
	for _, op := range operations {
		all = append(all, Operation{op.name, op.about, op.by, op.in, op.out})
	}
	return all
}

// OpenAPI is the file that is served.
func OpenAPI() []byte { return openAPI }
