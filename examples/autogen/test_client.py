# SPDX-License-Identifier: Apache-2.0
"""The client against a vault: every method and every error. Its key may do anything below scratch/."""

import json
import os
import pickle
import threading
import unittest
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest import mock

from agentsecretstore import (
    AgentVault,
    Denied,
    InvalidRequest,
    Item,
    NotFound,
    Unauthorized,
    Unavailable,
    VaultError,
)

from vault_tool import llm_config

PATH = "scratch/a/key"


class Client(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.vault = AgentVault()
        self.token = await self.vault.request_token("secrets:*:scratch/*", ttl_seconds=60, description="a test")

    async def refused(self, kind: type[VaultError], path: str, token: str) -> None:
        with self.assertRaises(kind) as caught:
            await self.vault.get_secret(path, token=token)
        self.assertTrue(caught.exception.status and caught.exception.code)
        self.assertNotIn(token, str(caught.exception))

    async def test_life_of_a_secret(self) -> None:
        token = self.token.value
        await self.refused(NotFound, PATH, token)
        self.assertEqual(await self.vault.set_secret(PATH, "first-value", token), 1)
        self.assertEqual(await self.vault.set_secret(PATH, "second-value", token, reason="rotated"), 2)
        newest = await self.vault.get_secret(PATH, token=token)
        self.assertEqual((newest.path, newest.version, newest.value), (PATH, 2, "second-value"))
        self.assertEqual((await self.vault.get_secret(PATH, token=token, version=1)).value, "first-value")
        self.assertEqual((await self.vault.get_secret(PATH)).value, "second-value")  # with the key alone
        self.assertEqual(await self.vault.list_secrets("scratch/*", token), [Item(PATH, 2)])
        await self.vault.delete_secret(PATH, token)
        await self.refused(NotFound, PATH, token)

    async def test_a_token_has_limits(self) -> None:
        self.assertAlmostEqual(
            self.token.expires_at, datetime.now(timezone.utc) + timedelta(seconds=60), delta=timedelta(seconds=5)
        )
        once = await self.vault.request_token(f"secrets:read:{PATH}", 60, max_uses=1, agent="pipeline/once", run="run-1")
        self.assertEqual(once.agent, "pipeline/once")
        await self.refused(Denied, "scratch/another/key", once.value)
        with self.assertRaises(Denied):  # wider than the key
            await self.vault.request_token("secrets:read:*", 60)

    async def test_what_is_malformed(self) -> None:
        await self.refused(InvalidRequest, "scratch/../key", self.token.value)
        await self.refused(Unauthorized, PATH, "kw_tok_none")
        with self.assertRaises(InvalidRequest):
            await self.vault.request_token("read everything", 60)
        for url in ("http://vault.example.com", "ftp://localhost", "http://localhost/path"):
            self.assertRaises(InvalidRequest, AgentVault, api_url=url)

    async def test_nobody_answers(self) -> None:
        for url in ("http://127.0.0.1:9", f"unix:{os.getcwd()}/none"):
            with self.assertRaises(Unavailable):
                await AgentVault(api_url=url, timeout=5).get_secret(PATH, token=self.token.value)

    async def test_nothing_shows(self) -> None:
        for shown in (repr(self.token), str(self.token), f"{self.token}", repr(self.vault)):
            self.assertNotIn(self.token.value, shown)
        self.assertRaises(TypeError, pickle.dumps, self.token)


class NotKeyward(BaseHTTPRequestHandler):
    """Another program's server."""

    answer: object = {}

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(self.answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Elsewhere(unittest.IsolatedAsyncioTestCase):
    """The wrong address, or one that not everything here can use. It needs no vault."""

    async def test_another_server(self) -> None:
        server = HTTPServer(("127.0.0.1", 0), NotKeyward)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        vault = AgentVault("kw_agent_x", f"http://127.0.0.1:{server.server_port}", timeout=5)
        for NotKeyward.answer in (
            {},
            {"hello": "world"},
            [],
            "text",
            {"expires": 1, "token": "t", "value": 7, "version": "new", "items": [{}]},
            {"expires": "soon", "items": "none", "value": None, "version": None},
        ):
            for ask in (
                lambda: vault.request_token("secrets:read:*"),
                lambda: vault.get_secret(PATH),
                lambda: vault.get_secret(PATH, token="kw_tok_x"),
                lambda: vault.set_secret(PATH, "value", "kw_tok_x"),
                lambda: vault.list_secrets("scratch/*", "kw_tok_x"),
            ):
                with self.assertRaisesRegex(Unavailable, "not one of keyward's"):
                    await ask()

    def test_the_llm_needs_an_address(self) -> None:
        for url, base in {
            "": "http://127.0.0.1:7423/use/",
            "https://vault.example.com/": "https://vault.example.com/use/",
        }.items():
            with mock.patch.dict(os.environ, {"ASS_API_URL": url}):
                self.assertTrue(llm_config("kw_tok_x")["config_list"][0]["base_url"].startswith(base))
        with mock.patch.dict(os.environ, {"ASS_API_URL": "unix:/run/keyward/keyward.sock"}):
            self.assertRaisesRegex(InvalidRequest, "socket", llm_config, "kw_tok_x")


if __name__ == "__main__":
    unittest.main()
