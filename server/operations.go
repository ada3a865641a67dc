// SPDX-License-Identifier: Apache-2.0

package server

// operations are all that the API does.
var operations = []operation{
	forCaller("issue", "Issue a token: a new grant, one inside an agent key's limits, or a narrowing of the token that asks.", maxSmall, issue),
	forCaller("claims", "What the credential that asks says of itself; not whether it is still alive. An answer is not recorded.", maxSmall, claims),
	forCaller("get", "Reveal a value.", maxSmall, get),
	forCaller("put", "Store a new version.", maxLarge, put),
	forCaller("delete", "Delete a version, or with version 0 all of them.", maxSmall, remove),
	forCaller("list", "The newest version of every path that a pattern covers, without values.", maxSmall, list),
	forCaller("versions", "The versions of one path, without values.", maxSmall, versions),
	forCaller("revoke", "End a token, and all that was narrowed from it; an operator also an agent key or operator.", maxSmall, revoke),
	forOperator("policy", "Replace the policy of a path.", maxSmall, setPolicy),
	forOperator("freeze", "Stop a path pattern, agent, run, user or tenant.", maxSmall, freeze),
	forOperator("thaw", "End a freeze.", maxSmall, thaw),
	forOperator("freezes", "List what is frozen.", maxSmall, freezes),
	forOperator("whose", "Which secrets have this value.", maxLarge, whose),
	forOperator("destroy", "Destroy one version for good.", maxSmall, destroy),
	forOperator("tokens", "The tokens that have not expired.", maxSmall, tokens),
	forOperator("create_key", "Make an agent key, or with operator a remote operator. The credential is shown here only.", maxSmall, createKey),
	forOperator("keys", "The agent keys and remote operators.", maxSmall, keys),
	forOperator("records", "Records of the log, in order. Ask again with since = next for more.", maxSmall, records),
	forOperator("checkpoint", "A signed checkpoint of the log.", maxSmall, checkpoint),
	forOperator("proof", "The line of a record, and the proof that a checkpoint covers it.", maxSmall, proof),
	exporting,
}
