// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/agent/mcp"
	"github.com/keyward-go/keyward/server"
	"github.com/keyward-go/keyward/server/compat"
	"github.com/keyward-go/keyward/vault"
)

type serveFlags struct {
	listen, cert, key, ca string
	hosts, origins        []string
	proxies               []string
	rate                  float64
	burst                 int
	compat                bool
	socketMode            string
	socketGroup           string
}

func newServeCommand(a *app) *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Open the vault to processes in any language",
		Long: `Serve opens the vault to other processes until it is interrupted, each caller with its own token:

  /use/PATH/~/…   sends a request on with the credential of PATH applied: an SDK's base_url, with a token as its API key
  /api/v1/…       reads, writes, issues tokens, reads the log; /api/v1/openapi.json describes it
  /mcp            the tools of an agent, over MCP

It listens on this machine only, unless there is a certificate. A Unix socket is for your own user, unless --socket-mode and
--socket-group let others in. Other commands may use the vault meanwhile, if it is SQLite.`,
		Example: `  keyward serve
  keyward serve --listen unix:/run/keyward/keyward.sock --socket-mode 0660 --socket-group workers
  keyward serve --listen 0.0.0.0:7423 --tls-cert cert.pem --tls-key key.pem --host vault.example.com`,
		Args: want(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !(f.rate > 0) || f.burst <= 0 { // it may be no number
				return usagef("--rate and --burst: numbers above zero")
			}
			ctx := cmd.Context()
			return a.withVault(ctx, func(v *vault.Vault) error { return a.serve(ctx, v, f) })
		},
	}
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:7423", "`ADDRESS`: host:port, or unix:/path")
	c.Flags().StringVar(&f.socketMode, "socket-mode", "", "the `MODE` of a Unix socket (else 0600)")
	c.Flags().StringVar(&f.socketGroup, "socket-group", "", "its group, by `NAME` or number (else yours)")
	c.Flags().StringSliceVar(&f.hosts, "host", nil, "a `NAME` by which clients call (else localhost, 127.0.0.1 and ::1)")
	c.Flags().StringSliceVar(&f.origins, "origin", nil, "an `ORIGIN` whose web pages may call, as https://console.example.com")
	c.Flags().StringSliceVar(&f.proxies, "proxy", nil, "a `NETWORK` of reverse proxies whose X-Forwarded-For is believed")
	c.Flags().StringVar(&f.cert, "tls-cert", "", "`FILE` with the certificate chain, in PEM")
	c.Flags().StringVar(&f.key, "tls-key", "", "`FILE` with its key, in PEM")
	c.Flags().StringVar(&f.ca, "ca", "", "`FILE` with the authorities of upstreams, in PEM (else the system's)")
	c.Flags().Float64Var(&f.rate, "rate", 100, "requests a second of one principal at each place, a `NUMBER`")
	c.Flags().IntVar(&f.burst, "burst", 200, "and at once, a `NUMBER`")
	c.Flags().BoolVar(&f.compat, "compat", false, "serve the wire format of Agent Secret Store too, at /v1/")
	c.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	return c
}

func (a *app) serve(ctx context.Context, v *vault.Vault, f serveFlags) error {
	h, err := a.fronts(v, f)
	if err != nil {
		return err
	}
	how := server.Listening{Group: f.socketGroup}
	if f.socketMode != "" {
		mode, err := strconv.ParseUint(f.socketMode, 8, 9)
		if err != nil || mode == 0 {
			return usagef("--socket-mode: permissions in octal, as 0660")
		}
		how.Mode = fs.FileMode(mode)
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return err
		}
		how.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	l, err := server.Listen(ctx, f.listen, how)
	if err != nil {
		return err
	}
	debug.FreeOSMemory() // what opening took, which is most of what there is
	a.printf("keyward: listening on %s", where(l, how.TLS != nil))
	return server.Serve(ctx, l, h, a.faults())
}

// fronts returns all that is served, each at its place.
func (a *app) fronts(v *vault.Vault, f serveFlags) (http.Handler, error) {
	cfg := server.Config{Vault: v, Hosts: f.hosts, Origins: f.origins, Rate: f.rate, Burst: f.burst, Log: a.faults()}
	tools := mcp.Config{Vault: v, Hosts: f.hosts, Origins: f.origins, Rate: f.rate, Burst: f.burst, Log: a.faults()}
	for _, text := range f.proxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, usagef("--proxy: a network, as 10.0.0.0/8")
		}
		cfg.Proxies = append(cfg.Proxies, p)
	}
	tools.Proxies = cfg.Proxies
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, err
		}
		cfg.Roots = x509.NewCertPool()
		if !cfg.Roots.AppendCertsFromPEM(pem) {
			return nil, usagef("--ca: %s has no certificate in PEM", f.ca)
		}
		tools.Options = append(tools.Options, agent.WithRoots(cfg.Roots))
	}
	gateway, err := server.NewGateway(cfg)
	if err != nil {
		return nil, usagef("%s", inFlags.Replace(err.Error())) // the configuration is what was typed
	}
	api, err := server.NewAPI(cfg)
	if err != nil {
		return nil, err
	}
	overMCP, err := mcp.NewHandler(tools)
	if err != nil {
		return nil, err
	}
	places := map[string]http.Handler{"/use/": gateway, "/mcp": overMCP, "/": api}
	if f.compat {
		vendor, err := compat.New(cfg)
		if err != nil {
			return nil, err
		}
		places["/v1/"], places["//v1/"] = vendor, vendor
	}
	return server.Route(places), nil
}

// inFlags says in flags what the fronts say in fields of a Config.
var inFlags = strings.NewReplacer("server: invalid request: ", "", "Config.Hosts: entry", "--host: number", "Config.Origins: entry", "--origin: number")

// faults is the log of what is broken here; what callers do wrong is in the vault's.
func (a *app) faults() *slog.Logger { return slog.New(slog.NewTextHandler(a.err, nil)) }

// where is how clients reach l.
func where(l net.Listener, secure bool) string {
	switch {
	case l.Addr().Network() == "unix":
		return "unix:" + l.Addr().String()
	case secure:
		return fmt.Sprintf("https://%s", l.Addr())
	}
	return fmt.Sprintf("http://%s", l.Addr())
}
