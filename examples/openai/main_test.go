// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/examples/internal/exampletest"
	"github.com/keyward-go/keyward/examples/internal/frametest"
	"github.com/keyward-go/keyward/examples/internal/script"
	"github.com/keyward-go/keyward/examples/internal/team"
)

func TestRun(t *testing.T) {
	exampletest.Check(t, run, "testdata/output.txt", append(team.Values(), modelKey))
}

func TestUseMode(t *testing.T) {
	frametest.UseMode(t, watched, "request to the model", "answer of the model", "debug log", "answer")
}

// The debug log of this SDK has no bodies; what the model is told goes to its provider.
func TestReadMode(t *testing.T) { frametest.ReadMode(t, watched, "request to the model") }

func TestFaults(t *testing.T) { frametest.Faults(t, watched, "cancelled", "closed", "panic") }

func TestOthersTool(t *testing.T) { frametest.OthersTool(t, watched, "There is no such tool.") }

// watched is a run of the example's loop, with the debug log on and the traffic with the provider dumped.
func watched(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw) error {
	var debug bytes.Buffer
	client := openai.NewClient(
		option.WithBaseURL("https://model.invalid/v1"), option.WithAPIKey("none"), option.WithMaxRetries(0),
		option.WithHTTPClient(&http.Client{Transport: wire{scripted{s}, saw}}), option.WithDebugLog(log.New(&debug, "", 0)))
	answer, err := work(ctx, a, client)
	saw.Text("answer", answer)
	saw.Text("debug log", debug.Bytes())
	return err
}

// wire is the way to a model in this process.
type wire struct {
	model http.Handler
	saw   *frametest.Saw
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		return nil, err
	}
	w.saw.Text("request to the model", dump)
	recorded := httptest.NewRecorder()
	w.model.ServeHTTP(recorded, r)
	resp := recorded.Result()
	if dump, err = httputil.DumpResponse(resp, true); err != nil {
		return nil, err
	}
	w.saw.Text("answer of the model", dump)
	return resp, nil
}
