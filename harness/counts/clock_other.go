// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package counts

import "time"

func now() int64 { return time.Now().UnixNano() }
