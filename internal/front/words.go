// SPDX-License-Identifier: Apache-2.0

package front

import "strings"

// inRequests says what a caller over HTTP, or the operator whom it asks, can do, where the errors of the vault name methods and
// fields of Go.
var inRequests = strings.NewReplacer(
	"an operator puts a later expiry with SetPolicy", "an operator says a later end (keyward policy set --expires)",
	"an operator sets Policy.Hosts with SetPolicy", "an operator gives it some (keyward policy set --host)",
	"; an operator uses SetPolicy", "; an operator changes it (keyward policy set)",
	"say to which: Request.URL with scheme and host", "say to which: the header Keyward-Host, as the policy has it",
	"set Request.URL to where the value goes", "it goes out by /use/{path}/~/ alone",
	"http needs Networks that name", "http needs networks that name",
	"TTL: ", "ttl_seconds: ",
	", by Config.MaxTTL or the limits of the key", ", as the vault or the limits of the key have it",
	"Claims and Tokens show them", "claims and tokens show them",
	"or those of Policy.Networks", "or those of its networks",
)
