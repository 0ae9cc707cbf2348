"""LangChain and OpenAI's Agents SDK: what they make of the service, as JSON."""

import asyncio
import json
import os
import sys

base, key = sys.argv[1], sys.argv[2]
os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic import BaseModel

seen = {}


class Answer(BaseModel):
    answer: int


@tool
def temperature(city: str) -> str:
    """Looks."""
    return "21"


def langchain(model, responses):
    found = {}
    chat = ChatOpenAI(model=model, base_url=f"{base}/v1", api_key=key, max_retries=0, use_responses_api=responses)
    found["plain"] = chat.invoke("hi").text
    found["streamed"] = "".join(chunk.text for chunk in chat.stream("hi"))
    bound = chat.bind_tools([temperature])
    asked = bound.invoke("Where is it warmer?")
    found["calls"] = [call["args"] for call in asked.tool_calls]
    results = [temperature.invoke(call) for call in asked.tool_calls]
    found["answered"] = bound.invoke([("user", "Where is it warmer?"), asked, *results]).text
    found["form"] = chat.with_structured_output(Answer).invoke("hi").answer
    return found


seen["langchain"] = langchain("main", False)
seen["langchain responses"] = langchain("main", True)


@function_tool(name_override="temperature")
def look(city: str) -> str:
    """Looks."""
    return "21"


async def agents():
    client = AsyncOpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
    for name, kind in [("chat", OpenAIChatCompletionsModel), ("responses", OpenAIResponsesModel)]:
        agent = Agent(name="desk", instructions="be kind", tools=[look], model=kind(model="main", openai_client=client))
        done = await Runner.run(agent, "Where is it warmer?")
        streamed = Runner.run_streamed(agent, "Where is it warmer?")
        async for _ in streamed.stream_events():
            pass
        seen[f"agents {name}"] = [done.final_output, streamed.final_output]


asyncio.run(agents())
print(json.dumps(seen))
