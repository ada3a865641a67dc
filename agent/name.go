// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// maxToolName is what the strictest model APIs take.
const maxToolName = 64

var (
	plainName = regexp.MustCompile(`^[a-z0-9_-]+$`)
	summed    = regexp.MustCompile(`_[0-9a-f]{12}$`)
	notPlain  = regexp.MustCompile(`[^a-z0-9_-]+`)
)

// toolName is kind_agent: two agents that share one executor cannot take one another's tool. Executors compare names in
// their own ways, some without regard to case, and model APIs take 64 bytes of [A-Za-z0-9_-]; so the name of an agent that is
// not plain lower case, or is too long, or looks like what is made here, is cleaned and cut, and carries 12 digits of its
// SHA-256.
func toolName(kind, agent string) string {
	name := kind + "_" + agent
	if len(name) <= maxToolName && plainName.MatchString(agent) && !summed.MatchString(agent) {
		return name
	}
	sum := sha256.Sum256([]byte(agent))
	tail := "_" + hex.EncodeToString(sum[:6])
	name = kind + "_" + notPlain.ReplaceAllString(strings.ToLower(agent), "_")
	return name[:min(len(name), maxToolName-len(tail))] + tail
}
