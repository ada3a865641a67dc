// SPDX-License-Identifier: Apache-2.0

package scope_test

import (
	"fmt"

	"github.com/keyward-go/keyward/scope"
)

func Example() {
	s := scope.MustParse("secrets:use:production/search/*", "secrets:read:staging/smtp")

	fmt.Println(s.Allows(scope.Use, "production/search/tavily-key"))
	fmt.Println(s.Allows(scope.Read, "production/search/tavily-key")) // use does not reveal
	fmt.Println(s.Allows(scope.Use, "production/search"))             // the star is one or more segments
	fmt.Println(s.Allows(scope.Use, "staging/smtp"))                  // read includes use
	// Output:
	// true
	// false
	// false
	// true
}

func ExampleParse() {
	s, err := scope.Parse("secrets:write:staging/*", "secrets:read:production/*", "secrets:write:staging/*")
	fmt.Println(s, err)

	_, err = scope.Parse("secrets:read:production/../staging/x")
	fmt.Println(err)
	// Output:
	// secrets:read:production/* secrets:write:staging/* <nil>
	// scope 1 of 1: path has a segment of only dots: a path is 1 to 16 segments joined by /, at most 512 bytes; a segment is 1 to 64 of A-Z a-z 0-9 . _ - and not only dots
}

func ExampleSet_Covers() {
	parent := scope.MustParse("secrets:read:production/*")

	fmt.Println(parent.Covers(scope.MustParse("secrets:use:production/search/*")))
	fmt.Println(parent.Covers(scope.MustParse("secrets:read:*")))
	fmt.Println(parent.Covers(scope.MustParse("secrets:*:production/search/*")))
	// Output:
	//  true
	// secrets:read:x false
	// secrets:write:production/search/x false
}

func ExampleJoinPath() {
	path, err := scope.JoinPath("tenants", "acme", "smtp")
	fmt.Println(path, err)

	_, err = scope.JoinPath("tenants", "*", "smtp") // a tenant that calls itself *
	fmt.Println(err != nil)
	// Output:
	// tenants/acme/smtp <nil>
	// true
}

func ExampleMatch() {
	fmt.Println(scope.Match("production/*", "production/search/tavily-key"))
	fmt.Println(scope.Match("production/*", "production"))
	// Output:
	// true
	// false
}
