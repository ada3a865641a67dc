// SPDX-License-Identifier: Apache-2.0

package otelaudit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/audit/otelaudit"
)

// strict is an exporter that tells ForceFlush of every export that failed since the last one.
type strict struct {
	sdklog.Exporter // an OTLP exporter, say

	mu     sync.Mutex
	failed error
}

func (e *strict) Export(ctx context.Context, records []sdklog.Record) error {
	err := e.Exporter.Export(ctx, records)
	if err != nil {
		e.mu.Lock()
		e.failed = err
		e.mu.Unlock()
	}
	return err
}

func (e *strict) ForceFlush(ctx context.Context) error {
	err := e.Exporter.ForceFlush(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	err, e.failed = errors.Join(e.failed, err), nil
	return err
}

// The auditor as one that must accept: no value leaves the vault before its record has arrived at the exporter.
func ExampleAuditor() {
	exporter := &strict{Exporter: &memoryExporter{}}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(
		sdklog.NewBatchProcessor(exporter, sdklog.WithMaxQueueSize(4096)),
	))
	defer provider.Shutdown(context.Background())

	a := &otelaudit.Auditor{Logger: provider.Logger("research-service"), Flush: provider.ForceFlush}
	// vault.Open(ctx, vault.Config{…, Auditors: []vault.Auditor{a}})

	err := a.Audit(context.Background(), []audit.Record{{Seq: 7, Outcome: audit.Granted, Op: "get", Path: "production/x"}})
	fmt.Println(err)

	exporter.Exporter.(*memoryExporter).fail = errors.New("collector is away")
	err = a.Audit(context.Background(), []audit.Record{{Seq: 8, Outcome: audit.Granted, Op: "get", Path: "production/x"}})
	fmt.Println(err != nil)
	// Output:
	// <nil>
	// true
}
