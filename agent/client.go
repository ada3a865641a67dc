// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"net/http"
	"time"

	"github.com/keyward-go/keyward/internal/egress"
)

// Answers that are no streams: more is an error when it is read.
const (
	maxBody    = 64 << 20
	headerWait = 5 * time.Minute
)

// Client returns an HTTP client for the developer's code, or for an SDK that takes one: it applies the credential of path to
// every request, as the policy of the path says, and shows it to nobody. Every request, and every redirect, is a pass through
// the door: decided, recorded with method and host and never with the query, and refused with a typed error of package vault
// (errors.Is finds it in the error of the client) unless the policy names that method, host and path.
//
// Only the address that is dialled counts: public ones, or those of the policy's networks. Proxies are not used, whatever the
// environment says. What the upstream answers is masked: headers, trailers and the body, as it streams. An answer that is no
// stream may have 64 MiB, and its headers may take 5 minutes; streams end with the context of the request.
//
// Package net/http tells package log what an upstream sends unasked after an answer. So that this is masked too, let
// slog.SetDefault have a handler that Redactor().Handler returned; with several agents, nested handlers of all of them.
//
// Package net/http may send a GET, HEAD or OPTIONS, or what has an Idempotency-Key, again on another connection, to the same place,
// if one that was kept from before closes without an answer: that is one pass, and one record.
//
// A credential that the request carries already in the same place, as SDKs put one there, is replaced.
func (a *Agent) Client(path, reason string) *http.Client {
	return a.client(egress.Use{
		Path: path, Reason: a.redactor.String(reason),
		Limits: egress.Limits{Body: maxBody, Header: headerWait},
	})
}

func (a *Agent) client(u egress.Use) *http.Client {
	return &http.Client{Transport: a.egress.Transport(u)}
}
