// SPDX-License-Identifier: Apache-2.0

// E2e runs clients that others wrote against keyward as it is built here: agent frameworks and SDKs, with an LLM that is a
// script on loopback. Each group ends by holding the log against what its agents did.
//
//	go run ./e2e                  all groups
//	go run ./e2e autogen crewai   these
//	go run ./e2e -list            what there is
//
// A group that lacks its interpreter says so and is skipped. What a group installs stays in the user's cache folder. The exit
// code is 0 if every group that ran is good, 1 if one is not, 2 if the command is wrong.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/keyward-go/keyward/e2e/autogen"
	"github.com/keyward-go/keyward/e2e/autogenclassic"
	"github.com/keyward-go/keyward/e2e/crewai"
	"github.com/keyward-go/keyward/e2e/internal/kit"
	"github.com/keyward-go/keyward/e2e/langchain"
	"github.com/keyward-go/keyward/e2e/vendor"
)

// groups is all that there are, in the order in which they run.
var groups = []kit.Group{
	autogenclassic.Group,
	autogen.Group,
	langchain.Group,
	crewai.Group,
	vendor.SDK,
	vendor.MCP,
	vendor.CLI,
	vendor.Kill,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := kit.Main(ctx, groups, os.Args[1:])
	stop()
	os.Exit(code)
}
