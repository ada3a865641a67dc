# SPDX-License-Identifier: Apache-2.0
"""What the vault answers. Values and tokens do not show in repr, str or a pickle; the one way out is `.value`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn


class _Redacted:
    """Keeps `.value` out of whatever prints or saves the object."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @property
    def value(self) -> str:
        return self._value

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is not pickled: keep the path, and read the value again")


class Token(_Redacted):
    """A short-lived token. It can do what its scope says until `expires_at`, and no more."""

    __slots__ = ("agent", "expires_at", "id")

    def __init__(self, value: str, id: str, agent: str, expires_at: datetime) -> None:
        super().__init__(value)
        self.id = id
        self.agent = agent
        self.expires_at = expires_at

    def __repr__(self) -> str:
        return f"Token([redacted], agent={self.agent!r}, expires_at={self.expires_at.isoformat()})"


class Secret(_Redacted):
    """One version of a secret."""

    __slots__ = ("metadata", "path", "version")

    def __init__(self, value: str, path: str, version: int, metadata: Mapping[str, str]) -> None:
        super().__init__(value)
        self.path = path
        self.version = version
        self.metadata = metadata

    def __repr__(self) -> str:
        return f"Secret([redacted], path={self.path!r}, version={self.version})"


@dataclass(frozen=True)
class Item:
    """A secret as it is listed: without its value."""

    path: str
    version: int
    metadata: Mapping[str, str] = field(default_factory=dict)
