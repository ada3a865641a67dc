# SPDX-License-Identifier: Apache-2.0
"""One AutoGen agent that fetches its credentials from the vault while it runs. Its LLM key never enters the process."""

import asyncio

import autogen
from agentsecretstore import AgentVault

from vault_tool import LLM_KEY, is_done, llm_config, make_vault_tool


async def run_research_agent() -> None:
    # Step 1: the orchestrator issues a scoped token for this agent run.
    async with AgentVault() as vault:
        token = await vault.request_token(
            scope=["secrets:read:production/tavily/*", f"secrets:use:{LLM_KEY}"],
            ttl_seconds=1800,
            description="AutoGen research agent session",
        )

    # Step 2: the vault retrieval function bound to the scoped token.
    get_secret = make_vault_tool(vault_token=token.value)

    # Step 3: register it with AutoGen.
    user_proxy = autogen.UserProxyAgent(
        name="user_proxy",
        human_input_mode="NEVER",
        max_consecutive_auto_reply=10,
        is_termination_msg=is_done,
        code_execution_config=False,
    )
    assistant = autogen.AssistantAgent(
        name="research_assistant",
        llm_config=llm_config(token.value),
        system_message=(
            "You are an AI research assistant with access to a secure credential vault. "
            "When you need to call any external API, always use the get_secret tool first "
            "to retrieve the required credential. Never ask the user for API keys. "
            "Reply TERMINATE when the task is complete."
        ),
    )
    autogen.register_function(
        get_secret,
        caller=assistant,
        executor=user_proxy,
        name="get_secret",
        description="Retrieve an API key or credential from the secure vault by path",
    )

    # Step 4: run it.
    await user_proxy.a_initiate_chat(
        assistant,
        message=(
            "Research the latest developments in multi-agent AI frameworks. "
            "Use the Tavily search API (key at 'production/tavily/api-key') "
            "to find recent papers and summarize the top 3 findings."
        ),
    )


if __name__ == "__main__":
    asyncio.run(run_research_agent())
