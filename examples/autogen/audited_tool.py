# SPDX-License-Identifier: Apache-2.0
"""An agent whose tool takes a reason: the log tells who read which credential, and what for."""

import asyncio

import autogen
from agentsecretstore import AgentVault

from vault_tool import LLM_KEY, is_done, llm_config, make_audited_vault_tool


async def run_audited_agent() -> None:
    async with AgentVault() as vault:
        token = await vault.request_token(
            scope=["secrets:read:production/search/*", f"secrets:use:{LLM_KEY}"],
            ttl_seconds=900,
            description="AutoGen audited researcher",
        )
    user_proxy = autogen.UserProxyAgent(
        name="user_proxy",
        human_input_mode="NEVER",
        max_consecutive_auto_reply=10,
        is_termination_msg=is_done,
        code_execution_config=False,
    )
    researcher = autogen.AssistantAgent(
        name="researcher",
        llm_config=llm_config(token.value),
        system_message="You research topics. Say why whenever you retrieve a credential. Reply TERMINATE when done.",
    )
    autogen.register_function(
        make_audited_vault_tool(token.value, agent_name="researcher"),
        caller=researcher,
        executor=user_proxy,
        name="get_secret",
        description="Retrieve a credential, with the reason why it is needed",
    )
    await user_proxy.a_initiate_chat(researcher, message="Find this week's papers on agent security.")


if __name__ == "__main__":
    asyncio.run(run_audited_agent())
