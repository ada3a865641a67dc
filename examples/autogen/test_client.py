# SPDX-License-Identifier: Apache-2.0
"""The client against a vault: every method and every error. Its key may do anything below scratch/."""

import os
import pickle
import unittest
from datetime import datetime, timedelta, timezone

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


if __name__ == "__main__":
    unittest.main()
