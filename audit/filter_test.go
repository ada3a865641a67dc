// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"testing"
	"time"

	"github.com/keyward-go/keyward/audit"
)

func TestFilter(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	r := audit.Record{Seq: 5, Time: at, Outcome: audit.Denied, Op: "get", Agent: "researcher/summariser", Run: "r1",
		User: "u", Tenant: "t", Token: "aa.bb.cc", Path: "production/search/key"}
	for _, f := range []audit.Filter{
		{}, {Since: 5}, {Since: -1}, {From: at}, {To: at.Add(1)}, {From: at, To: at.Add(1)},
		{Outcome: audit.Denied}, {Op: "get"}, {Run: "r1", User: "u", Tenant: "t"},
		{Agent: "researcher"}, {Agent: "researcher/summariser"},
		{Token: "aa"}, {Token: "aa.bb"}, {Token: "aa.bb.cc"},
		{Path: "*"}, {Path: "production/*"}, {Path: "production/search/*"}, {Path: "production/search/key"},
	} {
		if !f.Match(r) {
			t.Errorf("%+v does not match", f)
		}
	}
	for _, f := range []audit.Filter{
		{Since: 6}, {From: at.Add(1)}, {To: at}, {Outcome: audit.Granted}, {Op: "ge"}, {Run: "r"}, {User: "x"}, {Tenant: "x"},
		{Agent: "research"}, {Agent: "researcher/"}, {Agent: "summariser"}, {Agent: "researcher/summariser/x"},
		{Token: "a"}, {Token: "aa."}, {Token: "bb"}, {Token: "aa.b"}, {Token: "aa.bb.cc.dd"},
		{Path: "production"}, {Path: "prod*"}, {Path: "production/*/key"}, {Path: "production/search/key/*"}, {Path: "/*"},
		{Path: "production/sea/*"}, {Op: "get", Run: "r2"},
	} {
		if f.Match(r) {
			t.Errorf("%+v matches", f)
		}
	}
	if (audit.Filter{Path: "*"}).Match(audit.Record{}) || (audit.Filter{Agent: "a"}).Match(audit.Record{}) {
		t.Error("a record without the field matches")
	}
}
