// SPDX-License-Identifier: Apache-2.0

// Harness breaks vaults on purpose and checks that keyward's promises hold: nothing that was acknowledged is lost, no value
// leaves without its record, counts are exact, dead tokens stay dead, the log verifies.
//
//	go run ./harness                     what there is
//	go run ./harness kill                the short form, on each store
//	go run ./harness -long -store file kill
//	go run ./harness -bug kill           with its seeded bug: good only if the harness finds it, as what it is
//	go run ./harness -check              every short form and every seeded bug, as CI runs them
//
// Each run prints one line: name, store, figures, verdict. The verdict is ok, or the first promise that was broken; with
// -bug it is what was found. The exit code is 0 if every verdict is good, 1 if one is not, 2 if the command is wrong.
//
// A harness is a folder with one kit.Harness; it is a user of keyward like any other and imports its public packages only.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/keyward-go/keyward/harness/clock"
	"github.com/keyward-go/keyward/harness/counts"
	"github.com/keyward-go/keyward/harness/cycles"
	"github.com/keyward-go/keyward/harness/disk"
	"github.com/keyward-go/keyward/harness/flips"
	"github.com/keyward-go/keyward/harness/fuzz"
	"github.com/keyward-go/keyward/harness/internal/kit"
	"github.com/keyward-go/keyward/harness/kill"
	"github.com/keyward-go/keyward/harness/kms"
	"github.com/keyward-go/keyward/harness/logs"
	"github.com/keyward-go/keyward/harness/powercut"
	"github.com/keyward-go/keyward/harness/scale"
	"github.com/keyward-go/keyward/harness/syscalls"
)

// harnesses is all that there are, in the order in which -check runs them.
var harnesses = []kit.Harness{
	kill.Harness,
	syscalls.Harness,
	powercut.Harness,
	cycles.Harness,
	disk.Harness,
	logs.Harness,
	flips.Harness,
	clock.Harness,
	kms.Harness,
	counts.Harness,
	scale.Harness,
	fuzz.Harness,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := kit.Main(ctx, harnesses, os.Args[1:])
	stop()
	os.Exit(code)
}
