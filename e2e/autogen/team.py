# SPDX-License-Identifier: Apache-2.0
"""A team of three, each with a token of its own for both its tools and its LLM: team.py http|stdio."""

import asyncio
import logging
import os
import sys
from contextlib import AsyncExitStack

from autogen_agentchat import EVENT_LOGGER_NAME, TRACE_LOGGER_NAME
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.ui import Console
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams, StreamableHttpServerParams

URL = os.environ["KEYWARD_URL"]


def server(token: str) -> StdioServerParams | StreamableHttpServerParams:
    if sys.argv[1] == "http":
        return StreamableHttpServerParams(url=f"{URL}/mcp", headers={"Authorization": f"Bearer {token}"})
    env = {name: os.environ[name] for name in ("KEYWARD_STORE", "KEYWARD_ROOT")}
    return StdioServerParams(command=os.environ["KEYWARD"], args=["mcp"], env={**env, "KEYWARD_TOKEN": token})


async def main() -> None:
    for name in (EVENT_LOGGER_NAME, TRACE_LOGGER_NAME, "autogen_core", "autogen_core.events"):
        logging.getLogger(name).setLevel(logging.DEBUG)  # all that AutoGen would tell anyone
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    async with AsyncExitStack() as stack:
        agents = []
        for name in ("researcher", "writer", "critic"):
            token = os.environ[f"{name.upper()}_TOKEN"]
            model = OpenAIChatCompletionClient(
                model="gpt-4o",
                base_url=f"{URL}/use/production/openai/api-key/~/v1",
                api_key=token,
                default_headers={"Keyward-Reason": f"the {name} thinks"},
            )
            stack.push_async_callback(model.close)
            workbench = await stack.enter_async_context(McpWorkbench(server(token)))
            agents.append(
                AssistantAgent(
                    name,
                    model_client=model,
                    model_client_stream=name == "writer",
                    workbench=workbench,
                    system_message=f"You are the {name} of a team.",
                    # Without this the agent's message is what the tool returned, so a value goes to the whole team.
                    reflect_on_tool_use=True,
                )
            )
        end = TextMentionTermination("TERMINATE") | MaxMessageTermination(20)
        await Console(RoundRobinGroupChat(agents, termination_condition=end).run_stream(task="Write about agents."))


asyncio.run(main())
