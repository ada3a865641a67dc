# SPDX-License-Identifier: Apache-2.0
"""A GroupChat of three, each with a token of its own: the researcher reads search credentials, the writer publishing ones.

An executor keeps its functions by name. Three tools named get_secret on one executor would be one: the last registered, so
that every agent would read with the last agent's token (test_published_form.py shows it). Here each has its own name.

AutoGen posts what a tool returns to the whole chat. A token decides who may read a value, not who hears of it afterwards:
where the others must not, let the tool use the credential through the gateway, as the LLM's is, and return no value.
"""

import asyncio

import autogen
from agentsecretstore import AgentVault

from vault_tool import LLM_KEY, is_done, llm_config, make_vault_tool

TEAM = {
    "researcher": (
        "search",
        "You research topics using web search APIs. "
        "Use your tool to retrieve 'production/search/tavily-key' before searching.",
    ),
    "writer": (
        "publishing",
        "You write and publish content. "
        "Use your tool to retrieve 'production/publishing/wordpress-key' before posting.",
    ),
    "critic": (
        "quality",
        "You review content quality. "
        "Use your tool for 'production/quality/grammarly-key' to check writing. Reply TERMINATE when done.",
    ),
}


async def run_multi_agent_pipeline() -> None:
    user_proxy = autogen.UserProxyAgent(
        name="user_proxy",
        human_input_mode="NEVER",
        max_consecutive_auto_reply=20,
        code_execution_config=False,
    )
    agents = [user_proxy]
    async with AgentVault() as vault:
        for name, (folder, task) in TEAM.items():
            token = await vault.request_token(
                scope=[f"secrets:read:production/{folder}/*", f"secrets:use:{LLM_KEY}"],
                ttl_seconds=3600,
                description=f"AutoGen {name} agent",
                agent=f"pipeline/{name}",
            )
            agent = autogen.AssistantAgent(name=name, llm_config=llm_config(token.value), system_message=task)
            autogen.register_function(
                make_vault_tool(vault_token=token.value),
                caller=agent,
                executor=user_proxy,
                name=f"get_secret_{name}",
                description=f"Retrieve a {folder} credential",
            )
            agents.append(agent)
        manager_token = await vault.request_token(f"secrets:use:{LLM_KEY}", 3600, agent="pipeline/manager")

    groupchat = autogen.GroupChat(agents=agents, messages=[], max_round=12)
    manager = autogen.GroupChatManager(
        groupchat=groupchat, llm_config=llm_config(manager_token.value), is_termination_msg=is_done
    )
    await user_proxy.a_initiate_chat(
        manager,
        message="Research and write a blog post about AutoGen multi-agent patterns.",
    )


if __name__ == "__main__":
    asyncio.run(run_multi_agent_pipeline())
