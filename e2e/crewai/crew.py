# SPDX-License-Identifier: Apache-2.0
"""A crew of two, each with a token of its own for both its tools over MCP and its LLM."""

import os

from crewai import LLM, Agent, Crew, Task
from crewai.mcp import MCPServerHTTP

URL = os.environ["KEYWARD_URL"]


def agent(role: str) -> Agent:
    token = os.environ[f"{role.upper()}_TOKEN"]
    return Agent(
        role=role,
        goal="find papers",
        backstory="You have tools.",
        llm=LLM(
            model="openai/gpt-4o",
            base_url=f"{URL}/use/production/openai/api-key/~/v1",
            api_key=token,
            default_headers={"Keyward-Reason": f"the {role} thinks"},
        ),
        mcps=[MCPServerHTTP(url=f"{URL}/mcp", headers={"Authorization": f"Bearer {token}"})],
        cache=False,
        verbose=True,
    )


researcher, writer = agent("researcher"), agent("writer")
crew = Crew(
    agents=[researcher, writer],
    tasks=[
        Task(description="Find papers.", expected_output="A list.", agent=researcher),
        Task(description="Check them.", expected_output="A word.", agent=writer),
    ],
    # With it the answer to one agent's tool call is handed to the next one that calls alike, and the vault is not asked.
    cache=False,
    verbose=True,
)
print(crew.kickoff())
