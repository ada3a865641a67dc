# SPDX-License-Identifier: Apache-2.0
"""The client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from ._errors import InvalidRequest, Unavailable, VaultError
from ._http import NOT_OURS, connect, post
from ._types import AgentKey, Item, Secret, Token

T = TypeVar("T")


class AgentVault:
    """The vault behind `keyward serve`, as seen by the holder of an agent key or of tokens.

    It keeps no connection, so one object may be used by several tasks at once.
    """

    def __init__(self, agent_key: str | None = None, api_url: str | None = None, timeout: float = 30.0) -> None:
        """`agent_key` defaults to ASS_AGENT_KEY, and is not needed where every call has a token. `timeout` is in seconds."""
        self._key = AgentKey(agent_key or os.environ.get("ASS_AGENT_KEY", ""))
        self._url = api_url or os.environ.get("ASS_API_URL", "") or "http://127.0.0.1:7423"
        self._timeout = timeout
        connect(self._url, timeout)  # not yet connected: refuses a wrong address now

    def __repr__(self) -> str:
        return f"AgentVault({self._url!r})"

    async def __aenter__(self) -> AgentVault:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    async def request_token(
        self,
        scope: str | Iterable[str],
        ttl_seconds: int = 1800,
        description: str = "",
        agent: str = "",
        run: str = "",
        max_uses: int = 0,
    ) -> Token:
        """Issues a token with the agent key. `agent` is who will act: the name in the key if it is left out."""
        body = {
            "scopes": [scope] if isinstance(scope, str) else list(scope),
            "ttl_seconds": ttl_seconds,
            "description": description,
            "agent": agent,
            "run": run,
            "max_uses": max_uses,
        }

        def token(answer: dict[str, Any]) -> Token:
            expires = datetime.fromisoformat(answer["expires"].replace("Z", "+00:00"))
            return Token(_text(answer["token"]), id=answer["id"], agent=answer["agent"], expires_at=expires)

        return await self._ask("issue", self._agent_key(), {k: v for k, v in body.items() if v}, token)

    async def get_secret(
        self,
        path: str,
        token: str | None = None,
        metadata: Mapping[str, str] | None = None,
        version: int = 0,
    ) -> Secret:
        """Reads a value: the newest version if `version` is 0. `metadata` is recorded; what it has as `reason` is the record's.

        An agent key can only issue. So without `token` the client first issues itself a token for a read of exactly this
        path, good for one use within a minute: the log has both.
        """
        if token is None:
            issued = await self.request_token(f"secrets:read:{path}", 60, "one read by the holder of the key", max_uses=1)
            token = issued.value
        body: dict[str, Any] = {"path": path}
        if version:
            body["version"] = version
        if metadata:
            body["metadata"] = {k: v for k, v in metadata.items() if k != "reason"}
            body["reason"] = metadata.get("reason", "")

        def secret(answer: dict[str, Any]) -> Secret:
            if answer.get("encoding"):
                raise VaultError(f"{path} is not text, as a Secret is")
            return Secret(_text(answer["value"]), answer["path"], answer["version"], answer.get("metadata") or {})

        return await self._ask("get", token, body, secret)

    async def set_secret(self, path: str, value: str, token: str, reason: str = "") -> int:
        """Writes the next version and returns its number. The token's scope must say secrets:write."""
        body = {"path": path, "value": value, "reason": reason}
        return await self._ask("put", token, body, lambda answer: int(answer["version"]))

    async def list_secrets(self, pattern: str, token: str, reason: str = "") -> list[Item]:
        """Lists what the token may see of a pattern such as production/*, without values."""

        def items(answer: dict[str, Any]) -> list[Item]:
            return [Item(i["path"], i["version"], i.get("metadata") or {}) for i in answer["items"]]

        return await self._ask("list", token, {"pattern": pattern, "reason": reason}, items)

    async def delete_secret(self, path: str, token: str, reason: str = "") -> None:
        """Deletes a secret. The token's scope must say secrets:delete."""
        await self._ask("delete", token, {"path": path, "reason": reason}, lambda _: None)

    def _agent_key(self) -> str:
        if not self._key.value:
            raise InvalidRequest("no agent key: set ASS_AGENT_KEY to what `keyward agent create` printed")
        return self._key.value

    async def _ask(
        self, operation: str, bearer: str, body: Mapping[str, Any], read: Callable[[dict[str, Any]], T]
    ) -> T:
        """Asks one operation, and returns what `read` makes of the answer."""
        answer = await asyncio.to_thread(post, self._url, operation, bearer, body, self._timeout)
        try:
            return read(answer)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Unavailable(NOT_OURS) from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
