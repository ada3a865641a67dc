# SPDX-License-Identifier: Apache-2.0
"""A LangGraph agent with our tools over MCP, and a checkpoint of every step in checkpoints.db."""

import asyncio
import os

from langchain.agents import create_agent
from langchain_core.globals import set_debug
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

URL, TOKEN = os.environ["KEYWARD_URL"], os.environ["TOKEN"]


async def main() -> None:
    set_debug(True)  # its tracer writes every run to the standard output
    client = MultiServerMCPClient(
        {"vault": {"transport": "streamable_http", "url": f"{URL}/mcp", "headers": {"Authorization": f"Bearer {TOKEN}"}}}
    )
    model = ChatOpenAI(
        model="gpt-4o",
        base_url=f"{URL}/use/production/openai/api-key/~/v1",
        api_key=TOKEN,
        streaming=True,
        default_headers={"Keyward-Reason": "the agent thinks"},
    )
    async with AsyncSqliteSaver.from_conn_string("checkpoints.db") as saver:
        agent = create_agent(model, await client.get_tools(), system_prompt="You are a researcher.", checkpointer=saver)
        config = {"configurable": {"thread_id": "1"}}
        async for step in agent.astream({"messages": [("user", "Find papers.")]}, config, stream_mode="updates"):
            print(step)
        state = await agent.aget_state(config)
        assert state.values["messages"][-1].content == "Three papers.", state


asyncio.run(main())
