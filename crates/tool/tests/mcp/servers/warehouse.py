"""A server made with the official Python SDK. Without an argument it speaks over standard input and output, with a
port over HTTP."""

import asyncio
import sys

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations
from pydantic import BaseModel

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


@server.resource("warehouse://plan", description="Where things are.")
def plan() -> str:
    return "Shelf 1 is by the door."


if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    server.run()
