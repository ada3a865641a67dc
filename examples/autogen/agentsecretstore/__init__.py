# SPDX-License-Identifier: Apache-2.0
"""A client of `keyward serve` with the interface that AutoGen programs for Agent Secret Store are written against.

    from agentsecretstore import AgentVault

    async with AgentVault() as vault:
        token = await vault.request_token(scope="secrets:read:production/*", ttl_seconds=1800)
        secret = await vault.get_secret("production/search/tavily-key", token=token.value)

Standard library only. The agent key comes from ASS_AGENT_KEY (kw_agent_…), the address from ASS_API_URL
(http://127.0.0.1:7423 if unset; https://host, or unix:/path for a socket).
"""

from ._errors import (
    Conflict,
    Denied,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unauthorized,
    Unavailable,
    VaultError,
)
from ._types import Item, Secret, Token
from ._vault import AgentVault

__all__ = [
    "AgentVault",
    "Conflict",
    "Denied",
    "InvalidRequest",
    "Item",
    "NotFound",
    "RateLimited",
    "Secret",
    "Token",
    "Unauthorized",
    "Unavailable",
    "VaultError",
]
