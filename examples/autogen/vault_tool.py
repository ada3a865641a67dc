# SPDX-License-Identifier: Apache-2.0
"""What the programs here share: vault tools bound to one token each, and an LLM that is reached through the gateway."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from agentsecretstore import AgentVault, InvalidRequest

LLM_KEY = "production/openai/api-key"


def make_vault_tool(vault_token: str) -> Callable[..., Awaitable[str]]:
    """
    Factory that returns a vault retrieval function bound to a scoped token.
    The token, not the agent key, is what the agent uses.
    """

    async def get_secret(
        path: Annotated[str, "Secret path in the vault, e.g. 'production/search/tavily-key'"],
    ) -> str:
        """
        Retrieve a credential.
        Call this before any operation that requires an API key or credential.
        Returns the secret value as a plain string.
        """
        async with AgentVault() as vault:
            secret = await vault.get_secret(path, token=vault_token)
            return secret.value

    return get_secret


def make_audited_vault_tool(vault_token: str, agent_name: str) -> Callable[..., Awaitable[str]]:
    """The same, with the agent's name and its reason in the log."""

    async def get_secret(
        path: Annotated[str, "Vault secret path"],
        reason: Annotated[str, "Why this secret is needed (recorded in audit)"] = "",
    ) -> str:
        """Retrieve a credential. Provide a reason for audit clarity."""
        async with AgentVault() as vault:
            secret = await vault.get_secret(
                path,
                token=vault_token,
                metadata={"agent_name": agent_name, "reason": reason},
            )
            return secret.value

    return get_secret


def llm_config(token: str) -> dict[str, Any]:
    """The LLM behind the gateway. What stands here as its API key is the run token: the real one is not in this process."""
    api = (os.environ.get("ASS_API_URL", "") or "http://127.0.0.1:7423").rstrip("/")
    if api.startswith("unix:"):
        raise InvalidRequest(
            "ASS_API_URL is a socket, and AutoGen asks its LLM over TCP: let `keyward serve` listen on 127.0.0.1:7423"
        )
    return {
        "config_list": [{"model": "gpt-4o", "base_url": f"{api}/use/{LLM_KEY}/~/v1", "api_key": token}],
        "temperature": 0.1,
        "timeout": 120,
        "cache_seed": None,  # AutoGen's cache on disk would keep every message, so every value that a tool returned
    }


def is_done(message: dict[str, Any]) -> bool:
    """Whether the chat ends with the message. A tool call has no content."""
    return (message.get("content") or "").rstrip().endswith("TERMINATE")
