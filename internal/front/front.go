// SPDX-License-Identifier: Apache-2.0

package front

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keyward-go/keyward/vault"
)

// Config is server.Config, which says what its fields mean: field by field, so that one is the other.
type Config struct {
	Vault   *vault.Vault
	Hosts   []string
	Origins []string
	Proxies []netip.Prefix
	Rate    float64
	Burst   int
	Roots   *x509.CertPool
	Log     *slog.Logger
}

// Front admits requests to a vault. It is safe for concurrent use.
type Front struct {
	*Guard
	Log    *slog.Logger // never nil
	vault  *vault.Vault
	limits *limits
	// sessions are those of bearers that the vault has proven, the ones used last: a session proves its token once. Whether that lives,
	// and what it may do, the vault decides at each call all the same.
	sessions *lru.Cache[Holder, *vault.Session]
}

const maxSessions = 4096

// New returns a Front. Errors: vault.ErrInvalid.
func New(cfg Config) (*Front, error) {
	if cfg.Vault == nil {
		return nil, fmt.Errorf("%w: Config.Vault is required", vault.ErrInvalid)
	}
	if !(cfg.Rate >= 0) || cfg.Burst < 0 { // it may be no number
		return nil, fmt.Errorf("%w: Config.Rate and Burst: numbers above zero, or zero for %d and %d", vault.ErrInvalid, perSecond, burst)
	}
	guard, err := NewGuard(cfg.Hosts, cfg.Origins, cfg.Proxies)
	if err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	sessions, err := lru.New[Holder, *vault.Session](maxSessions)
	if err != nil {
		return nil, err
	}
	return &Front{guard, cfg.Log, cfg.Vault, newLimits(cfg.Rate, cfg.Burst), sessions}, nil
}
