// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/keyward-go/keyward/internal/front"
)

const (
	shutdownWait = 10 * time.Second
	maxHeader    = 64 << 10
)

// Serve serves h on l until ctx ends, then lets requests under way finish for 10 s, ends those that have not, and returns nil. A
// header must be there within 10 s and have at most 64 KiB; a connection may be idle for 2 minutes, and a client take a minute
// for each part of an answer; bodies take their time, which the handlers of this package bound. A panic of h ends its request,
// with 500 if it has no answer yet, and is told to faults (nil: to nobody) by its type alone. Serve closes l.
func Serve(ctx context.Context, l net.Listener, h http.Handler, faults *slog.Logger) error {
	if faults == nil {
		faults = slog.New(slog.DiscardHandler)
	}
	s := &http.Server{
		Handler:           contain(h, faults),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second, // of requests that net/http answers itself: contain lifts it
		WriteTimeout:      partWait,         // of such answers, and of the first part of any: contain sees to the others
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: partWait, SendPingTimeout: partWait}, // who stops reading

		DisableGeneralOptionsHandler: true,                       // it answers strangers for any host
		ErrorLog:                     log.New(io.Discard, "", 0), // it quotes what clients send
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("server: %w", err)
	case <-ctx.Done():
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWait)
	defer cancel()
	if err := s.Shutdown(wait); err != nil {
		_ = s.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// Route sends each request to the handler whose place its escaped path begins with; places that do not end in a slash stand for
// themselves alone. Unlike http.ServeMux it never redirects and never cleans a path: what a path means is for the handler to
// decide.
func Route(places map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, best := r.URL.EscapedPath(), ""
		for place := range places {
			if len(place) > len(best) && (place == path || strings.HasSuffix(place, "/") && strings.HasPrefix(path, place)) {
				best = place
			}
		}
		if best == "" {
			best = "/" // for what begins with no slash
		}
		if h := places[best]; h != nil {
			h.ServeHTTP(w, r)
			return
		}
		nowhere.Write(w, r)
	})
}

var nowhere = &front.Refusal{Status: http.StatusNotFound, Code: "not_found", Message: "there is nothing here"}
