// SPDX-License-Identifier: Apache-2.0

package agent

import "context"

// FuncTool is a Tool in the form of the Microsoft Agent Framework for Go, the successor of AutoGen: the interface tool.FuncTool
// of github.com/microsoft/agent-framework-go is made of these methods. Nothing here is compiled against that module.
type FuncTool struct{ tool *Tool }

// Func returns the tool in that form.
func (t *Tool) Func() FuncTool { return FuncTool{t} }

// Name is that of the Tool.
func (f FuncTool) Name() string { return f.tool.Name() }

// Description is that of the Tool.
func (f FuncTool) Description() string { return f.tool.Description() }

// Schema is that of the Tool, a json.RawMessage.
func (f FuncTool) Schema() any { return f.tool.Schema() }

// ReturnSchema is nil: the answer is a string.
func (f FuncTool) ReturnSchema() any { return nil }

// Call is that of the Tool; the answer is a string.
func (f FuncTool) Call(ctx context.Context, args string) (any, error) { return f.tool.Call(ctx, args) }
