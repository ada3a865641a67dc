// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/x509"
	"log/slog"
	"net/netip"

	"github.com/keyward-go/keyward/vault"
)

// Config says what a front serves, and to whom. The fields but Vault may be zero.
type Config struct {
	// Vault is what callers reach, each as its credential says. Required.
	Vault *vault.Vault
	// Hosts are the names and addresses, without a port, by which clients call. Empty: localhost, 127.0.0.1 and ::1. A request
	// for any other is refused, so that no web page reaches the vault under a name of its own.
	Hosts []string
	// Origins are those whose pages may call, as in "https://console.example.com". Requests without an Origin come from programs
	// and are not concerned.
	Origins []string
	// Proxies are the networks of reverse proxies in front of this server. X-Forwarded-For is believed from these only, about
	// what they have seen themselves, and every other header that names an address from nobody.
	Proxies []netip.Prefix
	// Rate and Burst bound the requests of one principal at one handler: a grant with all that was narrowed from it, an agent key, an operator,
	// or the network (/24, /64) of callers without a credential of this vault. So many a second on average, so many at once;
	// above that it is 429, with Retry-After, and nothing is recorded. Zero: 100 and 200.
	Rate  float64
	Burst int
	// Roots are the authorities of upstreams; nil: the system's.
	Roots *x509.CertPool
	// Log is told of faults; nil: nobody is.
	Log *slog.Logger
}
