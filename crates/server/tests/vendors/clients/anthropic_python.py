"""Anthropic's own client for Python: what it understands of the service, as JSON."""

import json
import sys

import anthropic

base, key = sys.argv[1], sys.argv[2]
client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0)
seen = {}

TOOLS = [{"name": "temperature", "description": "Looks.", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}]


def user(content):
    return [{"role": "user", "content": content}]


def text(message):
    return "".join(block.text for block in message.content if block.type == "text")


def messages(model):
    found = {}
    ask = lambda **more: client.messages.create(model=model, max_tokens=2000, **more)
    plain = ask(messages=user("hi"))
    found["plain"] = [text(plain), plain.stop_reason, plain.usage.input_tokens, plain.usage.cache_read_input_tokens]
    with client.messages.stream(model=model, max_tokens=2000, messages=user("hi")) as stream:
        found["streamed"] = "".join(stream.text_stream)
        found["streamed usage"] = stream.get_final_message().usage.output_tokens
    asked = ask(messages=user("Where is it warmer?"), tools=TOOLS)
    calls = [block for block in asked.content if block.type == "tool_use"]
    found["calls"] = [[call.name, call.input] for call in calls]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "21"} for call in calls]
    history = user("Where is it warmer?") + [{"role": "assistant", "content": asked.content}] + user(results)
    found["answered"] = text(ask(messages=history, tools=TOOLS))
    with client.messages.stream(model=model, max_tokens=2000, messages=user("Where is it warmer?"), tools=TOOLS) as stream:
        whole = stream.get_final_message()
    found["streamed calls"] = [[block.name, block.input] for block in whole.content if block.type == "tool_use"]
    picture = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAEC"}}, {"type": "text", "text": "?"}]
    found["picture"] = text(ask(messages=user(picture)))
    found["counted"] = client.messages.count_tokens(model=model, messages=user("hi")).input_tokens > 0
    return found


for model in ["main", "deep", "newer"]:
    seen[model] = messages(model)
try:
    client.messages.create(model="main", max_tokens=5, messages=[{"role": "usr", "content": "hi"}])
except anthropic.BadRequestError as error:
    seen["mistake"] = error.body["error"]["param"]
try:
    client.messages.create(model="main", max_tokens=5, messages=user("busy now"))
except anthropic.RateLimitError as error:
    seen["busy"] = error.response.headers["retry-after"]
try:
    anthropic.Anthropic(base_url=base, api_key="wrong", max_retries=0).models.list()
except anthropic.AuthenticationError as error:
    seen["wrong key"] = error.status_code
seen["models"] = "agent/desk" in [model.id for model in client.models.list()]
seen["agent"] = text(client.messages.create(model="agent/desk", max_tokens=50, messages=user("What is 6 * 7?")))
print(json.dumps(seen))
