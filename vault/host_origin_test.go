// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"testing"

	"github.com/keyward-go/keyward/vault"
)

func TestPolicyOrigin(t *testing.T) {
	for _, c := range []struct {
		want  string
		hosts []string
	}{
		{"https://api.example.com", []string{"api.example.com"}},
		{"https://api.example.com:8443", []string{"GET,POST api.example.com:8443/v1", "api.example.com:8443/v2"}},
		{"http://127.0.0.1", []string{"http://127.0.0.1"}},
		{"http://[::1]:8080", []string{"http://[::1]:8080/v1"}},
		{"", nil},
		{"", []string{"api.example.com", "api.example.org"}},
		{"", []string{"api.example.com", "http://api.example.com"}},
		{"", []string{"api.example.com", "api.example.com:8443"}},
		{"", []string{"Not A Host"}},
	} {
		if got := (vault.Policy{Hosts: c.hosts}).Origin(); got != c.want {
			t.Errorf("%q: %q, not %q", c.hosts, got, c.want)
		}
	}
}
