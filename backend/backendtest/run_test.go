// SPDX-License-Identifier: Apache-2.0

package backendtest

import "testing"

func TestRunOnSharedStore(t *testing.T) { Run(t, newDisks().open) }
