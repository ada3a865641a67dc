// SPDX-License-Identifier: Apache-2.0

// Package compat serves the wire format of Agent Secret Store from a vault of keyward, so that its published clients run as they
// are: npm @agentsecretstore/sdk, /mcp and /cli, each 1.0.0. They are told where by baseUrl or ASS_API_URL. Mount New's handler
// with server.Route at "/v1/", and at "//v1/" too, for clients whose base URL ends in a slash.
//
// The bearer is a token (kw_tok_…), an agent key (kw_agent_…), which gets tokens and nothing else, or a remote operator's
// credential (kw_op_…). A token stands where the clients want an agent key, too: what it gets is a narrowing of itself, so a
// sub-agent is given one and uses the SDK unchanged.
//
//	call                                    what the vault does                              who
//	POST   /v1/tokens                       Issue, or a narrowing                            agent key, token, operator
//	GET    /v1/secrets/{ns}/{key}           Get, or List: see below                          token, operator
//	GET    /v1/secrets/{ns}                 List ns/*                                        token, operator
//	GET    /v1/secrets?namespace={ns}       List ns/*                                        token, operator
//	PUT    /v1/secrets/{ns}/{key}           Put                                              token, operator
//	PATCH  /v1/secrets/{path}               Put                                              token, operator
//	POST   /v1/secrets                      Put of version 1                                 token, operator
//	POST   /v1/secrets/{ns}/{key}/rotate    Put of new_value                                 token, operator
//	DELETE /v1/secrets/{ns}/{key}           Delete of all versions                           token, operator
//	POST   /v1/secrets/import               Put of each key of a dotenv file                 token, operator
//	GET    /v1/namespaces                   List *                                           token, operator
//	GET    /v1/me                           Claims, List *; of an operator Keys              all
//	GET    /v1/agents                       Keys                                             operator
//	POST   /v1/agents                       NewKey                                           operator
//	DELETE /v1/agents/{id or name}          Keys, Revoke                                     operator
//	GET    /v1/audit?page=&limit=           Log, Records                                     operator
//	GET    /v1/approvals                    Keys; there are none                             operator
//	POST   /v1/approvals/{id}/approve       Keys; 404                                        operator
//	POST   /v1/approvals/{id}/deny          Keys; 404                                        operator
//	GET    /v1/approvals/agent/{id}         404                                              all
//	GET    /v1/health                       nothing                                          anybody
//
// # Paths
//
// A namespace and a key are a path of the vault: ns/key. A URL has it with slashes as they are, or written %2F inside of a
// namespace. That is the only escape: all other characters of a path need none. Runs of slashes in a URL count as one, since a
// base URL that ends in a slash makes them, and nothing is ever redirected. Whatever else is no path (dot segments, an empty key,
// a query that the call does not know) is refused.
//
// Reading b in the namespace a and listing the namespace a/b are the same request, GET /v1/secrets/a/b. What is meant, the scope
// of the token says, which the SDK asks for beforehand: one that covers reading all of a/b/* but not a/b lists; every other reads
// a/b, and if that is not there but a/b/* is covered, lists what is, if anything is. So what lies outside of the scope changes
// no answer. With one segment (the CLI and the MCP server write a%2Fb) it is a list, unless there is ?version= or the token may
// read exactly that path and not what is below. A list has the keys of its namespace, not those of namespaces below it.
//
// # Where it differs from the vendor
//
//   - Policy is tightened, never loosened. The clients send custom and standard when nobody said so: these change nothing. Another
//     type than a path has, or a lower tier, is refused; an operator changes it with keyward.
//   - A sensitive or critical secret is refused to every token, at its use, with 403 and a text. Tokens are issued at once, and
//     there are no approvals.
//   - Tokens: a ttl above what the credential may give is refused; a narrowing ends at the latest with the token it comes from.
//     expires_at and scopes are what was granted. namespaces:read becomes list, and read:secrets, write:secrets, rotate:secrets and
//     import:secrets become read or write, on what the credential covers; manage:agents is refused. A token that an operator
//     issues acts under the operator's name, since no client says an agent.
//   - An agent key ends after 365 days, is for its namespaces only, and its own bearer reads nothing.
//   - Rotation stores new_value. Without one it is refused: keyward makes no values.
//   - An import is parsed before anything of it is stored, in the dialect of keyward import; nothing is skipped. imported and keys
//     are the names, imported_count their number; the CLI prints the names where it means the number.
//   - The answer to a write repeats type and tier as they were sent: who may write need not be one who may look.
//   - metadata has strings as values. created_at and updated_at are both the time of the version. id is the path.
//   - PATCH and rotate of a path that does not exist create it, and POST of one that was deleted is a conflict. A grace period
//     is refused.
//   - Denied and failed events are in the audit log, as secret.read.denied; every page of it is an event too.
//   - email is the name of the credential; there are no accounts and plans. Errors are {"error":{"code","message"},"detail"}.
//
// JSON is read strictly, as package server does: what no client sends is refused. Where values are written null is an absent key,
// since the SDK sends it.
package compat
