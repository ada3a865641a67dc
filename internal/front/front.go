// SPDX-License-Identifier: Apache-2.0

package front

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/keyward-go/keyward/vault"
)

// Vault is what a front needs of a vault. A *vault.Vault has it.
type Vault interface {
	Session(tok vault.Token, from netip.Addr) *vault.Session
	Remote(cred vault.Token, from netip.Addr) *vault.Operator
}

// Config is server.Config, which says what its fields mean.
type Config struct {
	Vault   Vault
	Hosts   []string
	Origins []string
	Proxies []netip.Prefix
	Rate    float64
	Burst   int
	Log     *slog.Logger
}

// Front admits requests to a vault. It is safe for concurrent use.
type Front struct {
	*Guard
	Log    *slog.Logger // never nil
	vault  Vault
	limits *Limits

	sessions *sessions
}

// New returns a Front. Errors: vault.ErrInvalid.
func New(cfg Config) (*Front, error) {
	if cfg.Vault == nil {
		return nil, fmt.Errorf("%w: Config.Vault is required", vault.ErrInvalid)
	}
	if cfg.Rate < 0 || cfg.Burst < 0 {
		return nil, fmt.Errorf("%w: Config.Rate and Burst are above zero", vault.ErrInvalid)
	}
	guard, err := NewGuard(cfg.Hosts, cfg.Origins, cfg.Proxies)
	if err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Front{guard, cfg.Log, cfg.Vault, NewLimits(cfg.Rate, cfg.Burst), newSessions()}, nil
}

// IDHeader is the header of an answer with the id of its request.
const IDHeader = "Keyward-Request-Id"

// Caller is who sends a request: the vault as its bearer sees it.
type Caller struct {
	Session  *vault.Session  // of a token or an agent key; what bears neither is refused at its first use
	Operator *vault.Operator // of a remote operator; what is none is refused at its first use
	IsOp     bool            // the bearer is to be an operator's
	ID       string          // of the request: in its answer, and in its records as the call unless the caller names one
	// Proven: the bearer is of this vault, alive or not. Admit finds out, without the store: what another process has made since is
	// not known here before the vault is asked for something, as Stranger does.
	Proven bool

	holder holder
}

// Caller returns who sends r with this bearer. Nothing is looked up.
func (f *Front) Caller(r *http.Request, bearer string) Caller {
	tok, from := vault.NewToken(bearer), f.From(r)
	c := Caller{Operator: f.vault.Remote(tok, from), IsOp: strings.HasPrefix(bearer, "kw_op_"), holder: holder{sha256.Sum256([]byte(bearer)), from}}
	var kept bool
	if c.Session, kept = f.sessions.get(c.holder); !kept {
		c.Session = f.vault.Session(tok, from)
	}
	return c
}

// Refusal is what a front itself answers: the vault was not asked for anything.
type Refusal struct {
	Status     int
	Code       string
	Message    string
	RetryAfter int // seconds; zero: it says nothing
}

// NotServed is what is said of a host or origin that a front does not serve.
const NotServed = "this server does not serve this host or origin: name it in Config.Hosts or Origins, or with serve --host or --origin"

var notServed = &Refusal{http.StatusForbidden, "denied", NotServed, 0}

// Admit returns who sends r, or why it is not looked at: it is for another host, bears nothing, or is one too many. The first two
// are recorded.
func (f *Front) Admit(w http.ResponseWriter, r *http.Request, bearer string) (Caller, *Refusal) {
	c := f.Caller(r, bearer)
	c.ID = rand.Text()
	w.Header().Set(IDHeader, c.ID)
	switch {
	case !f.Serves(r):
		return c, f.Turn(r, c, notServed)
	case bearer == "":
		return c, f.Turn(r, c, StatusOf(vault.ErrDeadToken))
	}
	var who string
	who, c.Proven = principal(r.Context(), c, c.holder.from)
	if c.Proven && !c.IsOp {
		f.sessions.keep(c.holder, c.Session)
	}
	return c, f.limits.take(who)
}

// Stranger has the vault look at a bearer that is not proven, and write down that it is refused. It returns nil if the vault knows the
// bearer by now: another process may have made the key, or rotated those of tokens.
func (f *Front) Stranger(r *http.Request, c Caller) *Refusal {
	if err := f.ask(r, c); errors.Is(err, vault.ErrDeadToken) {
		return StatusOf(vault.ErrDeadToken)
	}
	return nil
}

// Turn has the vault write down that c was turned away with a request that asks for nothing, which the door refuses.
func (f *Front) Turn(r *http.Request, c Caller, why *Refusal) *Refusal {
	_ = f.ask(r, c)
	return why
}

func (f *Front) ask(r *http.Request, c Caller) error {
	ask := c.Session.Get
	if c.IsOp {
		ask = c.Operator.Get
	}
	_, err := ask(r.Context(), vault.Request{})
	if StatusOf(err).Status >= 500 {
		f.Log.Error("a refusal could not be recorded", "cause", err)
	}
	return err
}
