"""A server made with the official Python SDK. Without an argument it speaks over standard input and output, with a
port over HTTP."""

import asyncio
import sys
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

server = MCPServer("warehouse", version="1.0")
READS = ToolAnnotations(read_only_hint=True)


class Stock(BaseModel):
    article: str
    pieces: int


@server.tool(annotations=READS)
def stock(article: str) -> Stock:
    """Says how many pieces of an article there are."""
    if article == "nothing":
        raise ValueError("there is no such article")
    return Stock(article=article, pieces=len(article))


@server.tool(annotations=ToolAnnotations(idempotent_hint=True))
async def count(context: Context, until: int) -> str:
    """Counts the shelves."""
    for shelf in range(until):
        await context.report_progress(shelf, until, f"shelf {shelf}")
        await asyncio.sleep(0.05)
    return f"{until} shelves"


@server.tool()
async def order(article: str) -> str:
    """Orders more of an article."""
    await asyncio.sleep(30)
    return article


class Wish(BaseModel):
    pieces: int = Field(description="How many to put aside.", ge=1)


async def wish() -> Elicit[Wish]:
    return Elicit("How many are to be put aside?", Wish)


@server.tool()
async def reserve(article: str, wish: Annotated[ElicitationResult[Wish], Resolve(wish)]) -> str:
    """Puts articles aside, as many as a person says."""
    match wish:
        case AcceptedElicitation(data=data):
            return f"{data.pieces} of {article}"
        case _:
            return f"none of {article}, the person said {wish.action}"


@server.resource("warehouse://plan", description="Where things are.")
def plan() -> str:
    return "Shelf 1 is by the door."


@server.prompt()
def letter(article: str, tone: str = "kind") -> str:
    """A letter to the supplier."""
    return f"Write a {tone} letter about {article}."


if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    server.run()
