// SPDX-License-Identifier: Apache-2.0

package otelaudit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"

	"github.com/keyward-go/keyward/audit"
	"github.com/keyward-go/keyward/audit/otelaudit"
	"github.com/keyward-go/keyward/vault"
	"github.com/keyward-go/keyward/vault/vaulttest"

	"github.com/keyward-go/keyward/backend/kms"
	"github.com/keyward-go/keyward/backend/memory"
)

var _ vault.Auditor = (*otelaudit.Auditor)(nil)

// memoryExporter keeps what is exported, and refuses it while fail is set.
type memoryExporter struct {
	mu   sync.Mutex
	fail error
	got  []sdklog.Record
}

func (e *memoryExporter) Export(_ context.Context, records []sdklog.Record) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return e.fail
	}
	for _, r := range records {
		e.got = append(e.got, r.Clone())
	}
	return nil
}
func (e *memoryExporter) Shutdown(context.Context) error   { return nil }
func (e *memoryExporter) ForceFlush(context.Context) error { return nil }

func newAuditor(t *testing.T) (*otelaudit.Auditor, *memoryExporter) {
	e := &memoryExporter{}
	p := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(e)))
	t.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	return &otelaudit.Auditor{Logger: p.Logger("test"), Flush: p.ForceFlush}, e
}

func attributes(r sdklog.Record) map[string]string {
	m := map[string]string{}
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		m[string(kv.Key)] = fmt.Sprintf("%v %s", kv.Value.Type(), kv.Value.String())
		return true
	})
	return m
}

func TestRecord(t *testing.T) {
	a, e := newAuditor(t)
	at := time.Date(2026, 11, 20, 9, 30, 0, 5, time.UTC)
	r := audit.Record{
		Seq: 7, Time: at, Outcome: audit.Granted, Uses: []int{3, 0}, Op: "use", Agent: "researcher", Path: "production/x", Version: 2,
		Reason: "look \"up\"\n\x1b[2J", Metadata: map[string]string{"ticket": "T-1", "bad\xff": "\xfe"},
	}
	if err := a.Audit(t.Context(), []audit.Record{r, {Seq: 8, Outcome: audit.Denied, Op: "get"}, {Seq: 9, Outcome: audit.Failed, Op: "put"}}); err != nil || len(e.got) != 3 {
		t.Fatalf("%d records, %v", len(e.got), err)
	}
	got := e.got[0]
	if got.EventName() != "keyward.use" || !got.Timestamp().Equal(at) || got.ObservedTimestamp().IsZero() || got.Body().AsString() != r.String() {
		t.Errorf("event %q at %v, %v, body %s", got.EventName(), got.Timestamp(), got.ObservedTimestamp(), got.Body().AsString())
	}
	want := map[string]string{
		"keyward.seq": "INT64 7", "keyward.outcome": "STRING granted", "keyward.uses": "INT64SLICE [3,0]", "keyward.op": "STRING use",
		"keyward.agent": "STRING researcher", "keyward.path": "STRING production/x", "keyward.version": "INT64 2",
		"keyward.reason": `STRING look "up"\u000a\u001b[2J`,
	}
	attrs := attributes(got)
	if m := attrs["keyward.metadata"]; !strings.Contains(m, "T-1") || !utf8.ValidString(m) || !strings.HasPrefix(m, "MAP") {
		t.Errorf("metadata: %q", m)
	}
	delete(attrs, "keyward.metadata")
	if fmt.Sprint(attrs) != fmt.Sprint(want) {
		t.Errorf("attributes %v\nwant       %v", attrs, want)
	}
	for i, want := range []log.Severity{log.SeverityInfo, log.SeverityWarn, log.SeverityError} {
		if got := e.got[i]; got.Severity() != want || got.SeverityText() != want.String() {
			t.Errorf("record %d: severity %v %q", i, got.Severity(), got.SeverityText())
		}
	}
	if n := e.got[1].AttributesLen(); n != 3 {
		t.Errorf("zero fields are there: %v", attributes(e.got[1]))
	}
}

func TestTrace(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	own := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{9}, SpanID: trace.SpanID{9}}))
	for _, c := range []struct{ trace, id, span string }{
		{id, id, ""},
		{strings.ToUpper(id), id, ""},
		{"00-" + id + "-" + span + "-01", id, span},
		{"", "", ""},
		{"req-4711", "", ""},
		{strings.Repeat("0", 32), "", ""},
		{"ff-" + id + "-" + span + "-01", "", ""},
		{"00-" + id + "-" + strings.Repeat("0", 16) + "-01", "", ""},
		{id + "\n", "", ""},
	} {
		a, e := newAuditor(t)
		if err := a.Audit(own, []audit.Record{{Outcome: audit.Granted, Op: "get", Trace: c.trace}}); err != nil {
			t.Fatal(err)
		}
		wantID, _ := trace.TraceIDFromHex(c.id)
		wantSpan, _ := trace.SpanIDFromHex(c.span)
		if got := e.got[0]; got.TraceID() != wantID || got.SpanID() != wantSpan {
			t.Errorf("%q: trace %v span %v", c.trace, got.TraceID(), got.SpanID())
		}
	}
}

func TestAuditAnswers(t *testing.T) {
	one := []audit.Record{{Outcome: audit.Granted, Op: "get"}}
	if err := (&otelaudit.Auditor{}).Audit(t.Context(), one); err == nil {
		t.Error("no logger and no error")
	}
	a, e := newAuditor(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Audit(ended, one); !errors.Is(err, context.Canceled) || len(e.got) != 0 {
		t.Errorf("ended: %v, %d records", err, len(e.got))
	}
	lost := errors.New("lost")
	flushed := 0
	a.Flush = func(context.Context) error { flushed++; return lost }
	if err := a.Audit(t.Context(), one); !errors.Is(err, lost) || flushed != 1 {
		t.Errorf("flush: %v, %d calls", err, flushed)
	}
	a.Flush = nil
	if err := a.Audit(t.Context(), one); err != nil {
		t.Errorf("without flush: %v", err)
	}
}

// As a required auditor over an exporter that remembers, it holds a value back when its record was lost, whichever way
// the processor exported it.
func TestRequiredAuditor(t *testing.T) {
	for name, processor := range map[string]func(sdklog.Exporter) sdklog.Processor{
		"one by one": func(e sdklog.Exporter) sdklog.Processor { return sdklog.NewSimpleProcessor(e) },
		"batches":    func(e sdklog.Exporter) sdklog.Processor { return sdklog.NewBatchProcessor(e) },
		"full batches": func(e sdklog.Exporter) sdklog.Processor {
			return sdklog.NewBatchProcessor(e, sdklog.WithExportMaxBatchSize(1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := &memoryExporter{}
			p := sdklog.NewLoggerProvider(sdklog.WithProcessor(processor(&strict{Exporter: e})))
			defer p.Shutdown(context.Background())
			v, err := vault.Open(t.Context(), vault.Config{
				Store: memory.New(), Root: kms.Passphrase(vault.NewSecret("correct horse battery")),
				Auditors: []vault.Auditor{&otelaudit.Auditor{Logger: p.Logger("test"), Flush: p.ForceFlush}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			op := v.Operator("test")
			if _, err := op.Put(t.Context(), vault.Item{Path: "a/b", Value: vault.NewSecret("value")}); err != nil {
				t.Fatal(err)
			}
			s := vaulttest.Session(t, v, "reader", "secrets:read:a/*")
			e.mu.Lock()
			e.fail = errors.New("collector is away")
			e.mu.Unlock()
			if item, err := s.Get(t.Context(), vault.Request{Path: "a/b", Reason: "test"}); !errors.Is(err, vault.ErrNotRecorded) || item.Value.Reveal() != "" {
				t.Errorf("released without its record: %v", err)
			}
			e.mu.Lock()
			e.fail = nil
			e.mu.Unlock()
			if item, err := s.Get(t.Context(), vault.Request{Path: "a/b", Reason: "test"}); err != nil || item.Value.Reveal() != "value" {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
