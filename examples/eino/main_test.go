// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"testing"

	"github.com/cloudwego/eino/callbacks"
	"github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/compose"
	"github.com/cloudwego/eino/schema"

	"github.com/keyward-go/keyward/agent"
	"github.com/keyward-go/keyward/examples/internal/exampletest"
	"github.com/keyward-go/keyward/examples/internal/frametest"
	"github.com/keyward-go/keyward/examples/internal/script"
	"github.com/keyward-go/keyward/examples/internal/team"
)

func TestRun(t *testing.T) {
	exampletest.Check(t, run, "testdata/output.txt", team.Values())
}

// The callbacks of eino's tools get nothing, since einoTool says that it calls them itself; those of the tools node get the
// answer of a tool, and those of the model the messages with it. A checkpoint has all messages, and so has the error by which
// a graph says that it was interrupted there.
var shown = []string{"messages", "callback Tools OnEnd", "callback ChatModel OnStart", "checkpoint", "callback Graph OnError"}

func TestUseMode(t *testing.T) {
	frametest.UseMode(t, watched, append(shown, "callback Tools OnStart", "callback ChatModel OnEnd", "callback Graph OnStart", "callback Graph OnEnd")...)
}

func TestReadMode(t *testing.T) { frametest.ReadMode(t, watched, shown...) }

func TestFaults(t *testing.T) { frametest.Faults(t, watched, "cancelled", "closed", "panic") }

func TestOthersTool(t *testing.T) { frametest.OthersTool(t, watched, "There is no such tool.") }

// watched is a run of the example's agent, with all callbacks on, in a graph that keeps a checkpoint before each turn of the
// model and goes on from it.
func watched(ctx context.Context, a *agent.Agent, s *script.Script, saw *frametest.Saw) error {
	worker, err := newAgent(ctx, a, &noting{scripted{s}, saw})
	if err != nil {
		return err
	}
	inner, opts := worker.ExportGraph()
	opts = append(opts, compose.WithGraphCompileOptions(compose.WithInterruptBeforeNodes([]string{"chat"})))
	outer := compose.NewGraph[[]*schema.Message, *schema.Message]()
	for _, err := range []error{
		outer.AddGraphNode("agent", inner, opts...), outer.AddEdge(compose.START, "agent"), outer.AddEdge("agent", compose.END),
	} {
		if err != nil {
			return err
		}
	}
	runnable, err := outer.Compile(ctx, compose.WithCheckPointStore(checkpoints{saw, map[string][]byte{}}))
	if err != nil {
		return err
	}
	for {
		answer, err := runnable.Invoke(ctx, []*schema.Message{schema.UserMessage("Search.")},
			compose.WithCallbacks(recorder(saw)), compose.WithCheckPointID("run"))
		if _, interrupted := compose.ExtractInterruptInfo(err); interrupted {
			continue
		}
		saw.Text("answer", answer)
		return err
	}
}

// noting is a model that notes its messages.
type noting struct {
	scripted
	saw *frametest.Saw
}

func (n *noting) Generate(ctx context.Context, messages []*schema.Message, opts ...model.Option) (*schema.Message, error) {
	n.saw.Text("messages", messages)
	return n.scripted.Generate(ctx, messages, opts...)
}

func (n *noting) WithTools(tools []*schema.ToolInfo) (model.ToolCallingChatModel, error) {
	n.saw.Text("tools", tools)
	return n, nil
}

type checkpoints struct {
	saw  *frametest.Saw
	kept map[string][]byte
}

func (c checkpoints) Get(_ context.Context, id string) ([]byte, bool, error) {
	data, ok := c.kept[id]
	return data, ok, nil
}

func (c checkpoints) Set(_ context.Context, id string, data []byte) error {
	c.saw.Text("checkpoint", data)
	c.kept[id] = data
	return nil
}

// place names a callback by its node; the graphs have no name.
func place(info *callbacks.RunInfo) string {
	return "callback " + cmp.Or(info.Name, string(info.Component))
}

// recorder is every callback that there is.
func recorder(saw *frametest.Saw) callbacks.Handler {
	return callbacks.NewHandlerBuilder().
		OnStartFn(func(ctx context.Context, info *callbacks.RunInfo, in callbacks.CallbackInput) context.Context {
			saw.Text(place(info)+" OnStart", in)
			return ctx
		}).
		OnEndFn(func(ctx context.Context, info *callbacks.RunInfo, out callbacks.CallbackOutput) context.Context {
			saw.Text(place(info)+" OnEnd", out)
			return ctx
		}).
		OnErrorFn(func(ctx context.Context, info *callbacks.RunInfo, err error) context.Context {
			saw.Text(place(info)+" OnError", err)
			return ctx
		}).
		OnStartWithStreamInputFn(func(ctx context.Context, info *callbacks.RunInfo, in *schema.StreamReader[callbacks.CallbackInput]) context.Context {
			in.Close()
			saw.Text(place(info)+" stream", "")
			return ctx
		}).
		OnEndWithStreamOutputFn(func(ctx context.Context, info *callbacks.RunInfo, out *schema.StreamReader[callbacks.CallbackOutput]) context.Context {
			out.Close()
			saw.Text(place(info)+" stream", "")
			return ctx
		}).
		Build()
}
