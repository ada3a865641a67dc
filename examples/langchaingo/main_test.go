// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tmc/langchaingo/agents"
	"github.com/tmc/langchaingo/callbacks"
	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/memory"
	"github.com/tmc/langchaingo/schema"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/examples/internal/exampletest"
	"github.com/keyward-go/keyward/examples/internal/frametest"
	"github.com/keyward-go/keyward/examples/internal/script"
	"github.com/keyward-go/keyward/examples/internal/team"
)

func TestRun(t *testing.T) {
	exampletest.Check(t, run, "testdata/output.txt", team.Values())
}

func TestUseMode(t *testing.T) {
	t.Run("functions", func(t *testing.T) { frametest.UseMode(t, functions, callbackPlaces...) })
	t.Run("one-shot", func(t *testing.T) { frametest.UseMode(t, oneShot, append(callbackPlaces, "callback ChainStart")...) })
}

// The functions agent calls its model without a chain of its own, so what it has read passes no callback of langchaingo; a
// provider's own callbacks get the messages.
func TestReadMode(t *testing.T) {
	t.Run("functions", func(t *testing.T) {
		frametest.ReadMode(t, functions, "messages", "intermediate steps", "callback ChainEnd")
	})
	t.Run("one-shot", func(t *testing.T) {
		frametest.ReadMode(t, oneShot, "messages", "intermediate steps", "callback ChainStart", "callback ChainEnd")
	})
}

func TestFaults(t *testing.T) {
	t.Run("functions", func(t *testing.T) { frametest.Faults(t, functions, "cancelled", "closed", "panic") })
	t.Run("one-shot", func(t *testing.T) { frametest.Faults(t, oneShot, "cancelled", "closed", "panic") })
}

func TestOthersTool(t *testing.T) {
	frametest.OthersTool(t, functions, "not a valid tool")
	frametest.OthersTool(t, oneShot, "not a valid tool")
}

var callbackPlaces = []string{"messages", "intermediate steps", "memory", "callback ChainStart", "callback ChainEnd", "callback AgentAction", "callback AgentFinish"}

// functions is a run of the example's agent, with callbacks and intermediate steps on.
func functions(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw) error {
	return execute(ctx, agents.NewOpenAIFunctionsAgent(&watched{model{s}, saw}, toolsOf(a), watching(saw)...), saw)
}

// oneShot is the agent for models that cannot call tools: they write what they want.
func oneShot(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw) error {
	return execute(ctx, agents.NewOneShotAgent(&writing{s, saw}, toolsOf(a), watching(saw)...), saw)
}

func execute(ctx context.Context, planner agents.Agent, saw *frametest.Saw) error {
	history := memory.NewConversationBuffer(memory.WithOutputKey("output"))
	opts := append(watching(saw), agents.WithReturnIntermediateSteps(), agents.WithMemory(history))
	outputs, err := chains.Call(ctx, agents.NewExecutor(planner, opts...), map[string]any{"input": "Search."})
	saw.Text("intermediate steps", outputs)
	kept, _ := history.LoadMemoryVariables(ctx, nil)
	saw.Text("memory", kept)
	return err
}

func watching(saw *frametest.Saw) []agents.Option {
	return []agents.Option{agents.WithCallbacksHandler(recorder{saw})}
}

// watched is a model that can call tools.
type watched struct {
	model
	saw *frametest.Saw
}

func (w *watched) GenerateContent(ctx context.Context, messages []llms.MessageContent, opts ...llms.CallOption) (*llms.ContentResponse, error) {
	w.saw.Text("messages", messages)
	return w.model.GenerateContent(ctx, messages, opts...)
}

// writing is a model that cannot.
type writing struct {
	script *script.Script
	saw    *frametest.Saw
}

func (w *writing) GenerateContent(_ context.Context, messages []llms.MessageContent, _ ...llms.CallOption) (*llms.ContentResponse, error) {
	w.saw.Text("messages", messages)
	prompt := fmt.Sprint(messages[0].Parts[0])
	read := ""
	if at := strings.LastIndex(prompt, "\nObservation: "); at >= 0 {
		read = strings.TrimSuffix(prompt[at+len("\nObservation: "):], "\n")
	}
	said := "Final Answer: " + w.script.Final
	if call, ok := w.script.Turn(read); ok {
		said = "Action: " + call.Tool + "\nAction Input: " + call.Args
	}
	return &llms.ContentResponse{Choices: []*llms.ContentChoice{{Content: said}}}, nil
}

func (w *writing) Call(ctx context.Context, prompt string, opts ...llms.CallOption) (string, error) {
	return llms.GenerateFromSinglePrompt(ctx, w, prompt, opts...)
}

// recorder is every callback that there is.
type recorder struct{ saw *frametest.Saw }

var _ callbacks.Handler = recorder{}

func (r recorder) HandleText(_ context.Context, text string)    { r.saw.Text("callback Text", text) }
func (r recorder) HandleLLMStart(_ context.Context, p []string) { r.saw.Text("callback LLMStart", p) }
func (r recorder) HandleLLMError(_ context.Context, err error)  { r.saw.Text("callback LLMError", err) }
func (r recorder) HandleChainError(_ context.Context, err error) {
	r.saw.Text("callback ChainError", err)
}
func (r recorder) HandleToolStart(_ context.Context, in string) { r.saw.Text("callback ToolStart", in) }
func (r recorder) HandleToolEnd(_ context.Context, out string)  { r.saw.Text("callback ToolEnd", out) }
func (r recorder) HandleToolError(_ context.Context, err error) {
	r.saw.Text("callback ToolError", err)
}
func (r recorder) HandleRetrieverStart(_ context.Context, q string) {
	r.saw.Text("callback RetrieverStart", q)
}
func (r recorder) HandleStreamingFunc(_ context.Context, b []byte) {
	r.saw.Text("callback Streaming", b)
}

func (r recorder) HandleLLMGenerateContentStart(_ context.Context, ms []llms.MessageContent) {
	r.saw.Text("callback GenerateContentStart", ms)
}

func (r recorder) HandleLLMGenerateContentEnd(_ context.Context, res *llms.ContentResponse) {
	r.saw.Text("callback GenerateContentEnd", res)
}

func (r recorder) HandleChainStart(_ context.Context, inputs map[string]any) {
	r.saw.Text("callback ChainStart", inputs)
}

func (r recorder) HandleChainEnd(_ context.Context, outputs map[string]any) {
	r.saw.Text("callback ChainEnd", outputs)
}

func (r recorder) HandleAgentAction(_ context.Context, action schema.AgentAction) {
	r.saw.Text("callback AgentAction", action)
}

func (r recorder) HandleAgentFinish(_ context.Context, finish schema.AgentFinish) {
	r.saw.Text("callback AgentFinish", finish)
}

func (r recorder) HandleRetrieverEnd(_ context.Context, _ string, docs []schema.Document) {
	r.saw.Text("callback RetrieverEnd", docs)
}
