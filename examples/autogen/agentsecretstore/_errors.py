# SPDX-License-Identifier: Apache-2.0
"""What the vault answers when it does not do what was asked. No error holds a value, a token or a key."""

from __future__ import annotations


class VaultError(Exception):
    """A call of the vault failed. `code` is the server's word for it, `status` that of HTTP, 0 if there was no answer."""

    def __init__(self, message: str, code: str = "", status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after


class InvalidRequest(VaultError):
    """The request is malformed: a path, a scope, a limit. Asking again will not help."""


class Unauthorized(VaultError):
    """There is no credential, or it is malformed, expired, revoked or used up."""


class Denied(VaultError):
    """The credential is good, but not for this."""


class NotFound(VaultError):
    """There is no such secret or version. Only a token whose scope covers the path is told so."""


class Conflict(VaultError):
    """The state is not what the caller expected. Read again, then retry."""


class RateLimited(VaultError):
    """Too many calls. `retry_after` is how many seconds to wait."""


class Unavailable(VaultError):
    """The vault gave no answer, or gives none now: it is busy, or cannot record. Nothing was released."""


BY_STATUS: dict[int, type[VaultError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Denied,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
    503: Unavailable,
}
