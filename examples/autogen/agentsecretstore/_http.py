# SPDX-License-Identifier: Apache-2.0
"""One POST of JSON, with a bearer. No redirects, no retries: each call is one record in the log."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from ._errors import BY_STATUS, InvalidRequest, Unavailable, VaultError

MAX_ANSWER = 8 << 20  # bytes: a value has at most 1 MiB, of which JSON makes at most six

NOT_OURS = "the answer is not one of keyward's: is ASS_API_URL the address of `keyward serve`?"


class _Unix(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def connect(url: str, timeout: float) -> HTTPConnection:
    """A connection to the server at `url`. Bearers cross it as they are, so without TLS it must not leave this machine."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return _Unix(parts.path, timeout)
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise InvalidRequest("ASS_API_URL is not an address: write http://127.0.0.1:7423, https://host or unix:/path")
    if parts.scheme == "https":
        return HTTPSConnection(parts.hostname, parts.port, timeout=timeout)
    if parts.scheme == "http" and _loopback(parts.hostname):
        return HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    raise InvalidRequest("ASS_API_URL sends tokens over a network in the clear: use https")


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def post(url: str, operation: str, bearer: str, body: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Asks one operation of the API, and raises what it is refused with."""
    if not (bearer.isascii() and bearer.isprintable()):  # http.client would say so in an error that quotes it
        raise InvalidRequest("the agent key or token has characters that none has: does it end in a newline?")
    connection = connect(url, timeout)
    connection.set_debuglevel(0)  # one that is set for all connections prints what is sent, the bearer too
    try:
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        connection.request("POST", f"/api/v1/{operation}", json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read(MAX_ANSWER + 1)
        if len(text) > MAX_ANSWER:
            raise Unavailable("the vault's answer is too long")
        answer = json.loads(text) if text else {}
        if not isinstance(answer, dict):
            raise ValueError
        if response.status == 200:
            return answer
        error = answer.get("error", {})
        wait = response.headers.get("Retry-After", "")
        raise BY_STATUS.get(response.status, VaultError)(
            error.get("message", f"the vault answered {response.status}"),
            code=error.get("code", ""),
            status=response.status,
            retry_after=float(wait) if wait.isdigit() else None,
        )
    except (OSError, HTTPException) as err:
        raise Unavailable(f"the vault gave no answer: {err}; is `keyward serve` running?") from None
    except (ValueError, AttributeError):
        raise Unavailable(NOT_OURS) from None
    finally:
        connection.close()
