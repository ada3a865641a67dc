# SPDX-License-Identifier: Apache-2.0
"""Why group_chat.py gives each tool a name of its own: three tools of one name on one executor are the last of them."""

import json
import unittest

import autogen
from agentsecretstore import AgentVault

from vault_tool import make_vault_tool

NAMES = {"researcher": "search/tavily-key", "writer": "publishing/wordpress-key", "critic": "quality/grammarly-key"}


class PublishedForm(unittest.IsolatedAsyncioTestCase):
    async def team(self, tool_name: str) -> autogen.UserProxyAgent:
        """Registers a tool for each of the three, and returns the executor that they share."""
        executor = autogen.UserProxyAgent(name="user_proxy", human_input_mode="NEVER", code_execution_config=False)
        async with AgentVault() as vault:
            for name, path in NAMES.items():
                token = await vault.request_token(
                    f"secrets:read:production/{path}", 300, "published form", agent=f"pipeline/{name}"
                )
                agent = autogen.AssistantAgent(name=name, llm_config={"config_list": [{"model": "none", "api_key": "none"}]})
                autogen.register_function(
                    make_vault_tool(token.value),
                    caller=agent,
                    executor=executor,
                    name=tool_name.format(name),
                    description="Retrieve a credential",
                )
        return executor

    async def call(self, executor: autogen.UserProxyAgent, tool: str, path: str) -> bool:
        """Has the executor do what an agent's tool call says, and tells whether a value came."""
        call = {"name": tool, "arguments": json.dumps({"path": f"production/{path}"})}
        ok, _ = await executor.a_execute_function(call)
        return bool(ok)

    async def test_published(self) -> None:
        executor = await self.team("get_secret")
        got = {name: await self.call(executor, "get_secret", path) for name, path in NAMES.items()}
        # Only the last one's token is left: the others are refused their own paths, and can read the critic's.
        self.assertEqual(got, {"researcher": False, "writer": False, "critic": True})

    async def test_fixed(self) -> None:
        executor = await self.team("get_secret_{}")
        for name in NAMES:
            got = {path: await self.call(executor, f"get_secret_{name}", path) for path in NAMES.values()}
            self.assertEqual(got, {path: path == NAMES[name] for path in NAMES.values()}, name)


if __name__ == "__main__":
    unittest.main()
