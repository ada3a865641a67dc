// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/keyward-go/keyward/agent/redact"
	"github.com/keyward-go/keyward/vault"
)

func Example() {
	var r redact.Redactor
	if err := r.Add(vault.NewSecret("tvly-9f3b7d21c84e5a60")); err != nil {
		panic(err)
	}
	fmt.Println(r.String(`{"error":"bad key tvly-9f3b7d21c84e5a60"}`))

	log := slog.New(r.Handler(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	log.Info("sent", "header", "Basic dXNlcjp0dmx5LTlmM2I3ZDIxYzg0ZTVhNjA=") // user:tvly-…
	// Output:
	// {"error":"bad key [redacted]"}
	// level=INFO msg=sent header="Basic dXNlcjp[redacted]A="
}
