// SPDX-License-Identifier: Apache-2.0

// Package upstream is the API that the examples call: a server on this machine that wants a key, as Tavily or WordPress
// would.
package upstream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
)

// Start serves one service a path. A request that carries the service's key gets its answer, any other one 401.
func Start(services map[string]Service) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ok := services[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Header.Get("Authorization") != "Bearer "+s.Key:
			http.Error(w, "wrong key", http.StatusUnauthorized)
		default:
			_, _ = fmt.Fprintln(w, s.Answer)
		}
	}))
}

// Service is a key and the answer that it buys.
type Service struct{ Key, Answer string }
