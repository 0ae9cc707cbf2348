"""What every vendor's client does with the mock provider, and how it tells what it understood.

A script per vendor gives a `Vendor`: how its client is asked, and how its answers are read. The scenes here are the same
for all of them; their order is that of the mock's answers. The result goes to stdout as JSON in words of no vendor's.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

ADDRESS, KEY = sys.argv[1:3]

SYSTEM = "You tell the weather."
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TOOL = "temperature"
TOOL_DESCRIPTION = "Tells how warm it is in a city."
TOOL_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
REPORT_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}


@dataclass
class Call:
    """A call of a tool that an answer holds."""

    id: str
    name: str
    arguments: Any


@dataclass
class Understood:
    """What a client understood of an answer."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[Call] = field(default_factory=list)
    finish: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    # The answer as the client takes it back, in the vendor's form.
    turn: Any = None

    def shown(self):
        return {name: value for name, value in asdict(self).items() if name != "turn" and value}


class Vendor:
    """What a script gives. Conversations are lists in the vendor's own form."""

    def ask(self, conversation, stream=False, tools=False, shape=None, key=KEY) -> Understood:
        raise NotImplementedError

    def user(self, text, picture=None):
        """What a user says, as a list."""
        raise NotImplementedError

    def again(self, understood):
        """An answer as a part of a conversation, as a list."""
        return [understood.turn]

    def results(self, results):
        """The results of calls, each a call and a text, as a list."""
        raise NotImplementedError

    def vectors(self, texts, dimensions):
        """The vectors of texts; none where the vendor's interface has no embeddings."""
        return None

    def failure(self, exception) -> dict:
        """The status, the message and more of what the client raised."""
        raise NotImplementedError


def with_tools(vendor, stream):
    talk = vendor.user("Is it warmer in Rome or in Oslo?")
    first = vendor.ask(talk, stream=stream, tools=True)
    talk += vendor.again(first)
    talk += vendor.results([(call, f"{len(call.arguments['city'])} degrees") for call in first.calls])
    second = vendor.ask(talk, stream=stream, tools=True)
    return [first.shown(), second.shown()]


def failed(vendor, **options):
    try:
        return vendor.ask(vendor.user("Hello"), **options).shown()
    except Exception as exception:
        return vendor.failure(exception)


def play(vendor):
    hello = vendor.user("Hello")
    picture = vendor.user("What is this?", picture=PICTURE)
    report = vendor.user("How warm is it in Rome?")
    scenes = {
        "text": lambda: vendor.ask(hello).shown(),
        "streamed text": lambda: vendor.ask(hello, stream=True).shown(),
        "tools": lambda: with_tools(vendor, stream=False),
        "streamed tools": lambda: with_tools(vendor, stream=True),
        "picture": lambda: vendor.ask(picture).shown(),
        "shape": lambda: vendor.ask(report, shape=REPORT_SCHEMA).shown(),
        "length": lambda: vendor.ask(hello, stream=True).shown(),
        "refusal": lambda: vendor.ask(hello).shown(),
        "streamed refusal": lambda: vendor.ask(hello, stream=True).shown(),
        "failures": lambda: [failed(vendor, stream=stream) for stream in (False, True) for _ in range(7)],
        "wrong key": lambda: failed(vendor, key="a-wrong-key"),
        "failure within": lambda: failed(vendor, stream=True),
        "vectors": lambda: vendor.vectors(["the sea", "das Meer, 海"], 256),
    }
    json.dump({name: scene() for name, scene in scenes.items()}, sys.stdout)
