"""OpenAI's own client for Python: what it understands of the service, as JSON."""

import json
import sys

import openai
from pydantic import BaseModel

base, key = sys.argv[1], sys.argv[2]
client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
seen = {}

TOOLS = [{"type": "function", "function": {"name": "temperature", "description": "Looks.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]


class Answer(BaseModel):
    answer: int


def user(content):
    return [{"role": "user", "content": content}]


def chat(model):
    found = {}
    plain = client.chat.completions.create(model=model, messages=user("hi"))
    found["plain"] = [plain.choices[0].message.content, plain.choices[0].finish_reason, plain.usage.total_tokens]
    with client.chat.completions.stream(
        model=model, messages=user("hi"), stream_options={"include_usage": True}
    ) as stream:
        whole = stream.get_final_completion() if [event for event in stream] else None
    found["streamed"] = [whole.choices[0].message.content, whole.usage.prompt_tokens]
    messages = user("Where is it warmer?")
    asked = client.chat.completions.create(model=model, messages=messages, tools=TOOLS).choices[0].message
    found["calls"] = [[call.function.name, json.loads(call.function.arguments)] for call in asked.tool_calls]
    messages.append(asked)
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "21"} for call in asked.tool_calls]
    found["answered"] = client.chat.completions.create(model=model, messages=messages, tools=TOOLS).choices[0].message.content
    pieces = {}
    for chunk in client.chat.completions.create(model=model, messages=user("Where is it warmer?"), tools=TOOLS, stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            name, arguments = pieces.get(call.index, ("", ""))
            pieces[call.index] = (name + (call.function.name or ""), arguments + (call.function.arguments or ""))
    found["streamed calls"] = [[name, json.loads(arguments)] for name, arguments in pieces.values()]
    parsed = client.chat.completions.parse(model=model, messages=user("hi"), response_format=Answer)
    found["form"] = parsed.choices[0].message.parsed.answer
    picture = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}}]
    found["picture"] = client.chat.completions.create(model=model, messages=user(picture)).choices[0].message.content
    return found


def responses(model):
    found = {}
    first = client.responses.create(model=model, input="I am Ann", instructions="be kind")
    second = client.responses.create(model=model, input="What was my name?", previous_response_id=first.id)
    found["chain"] = second.output_text
    found["kept"] = client.responses.retrieve(first.id).output_text
    with client.responses.stream(model=model, input="hi") as stream:
        kinds = [event.type for event in stream]
        found["streamed"] = stream.get_final_response().output_text
    found["events"] = [kinds[0], kinds[-1]]
    found["form"] = client.responses.parse(model=model, input="hi", text_format=Answer).output_parsed.answer
    conversation = client.conversations.create(items=[{"type": "message", "role": "user", "content": "I am Ann"}])
    turn = client.responses.create(model=model, input="What was my name?", conversation=conversation.id)
    found["conversation"] = turn.output_text
    found["items"] = [item.role for item in client.conversations.items.list(conversation.id, order="asc")]
    later = client.responses.create(model=model, input="hi", background=True, stream=True)
    numbers = []
    for event in later:
        numbers.append(event.sequence_number)
        if event.sequence_number == 3:
            break
        if event.type == "response.created":
            background = event.response.id
    later.close()
    rest = client.responses.retrieve(background, stream=True, starting_after=3)
    numbers += [event.sequence_number for event in rest]
    found["resumed"] = numbers == list(range(len(numbers)))
    client.responses.delete(first.id)
    try:
        client.responses.retrieve(first.id)
    except openai.NotFoundError as error:
        found["gone"] = error.status_code
    return found


for model in ["main", "deep", "newer"]:
    seen[model] = {"chat": chat(model), "responses": responses(model)}
try:
    client.chat.completions.create(model="main", messages=user("hi"), extra_body={"temprature": 1})
except openai.BadRequestError as error:
    seen["mistake"] = [error.param, error.code]
try:
    client.chat.completions.create(model="main", messages=user("busy now"))
except openai.RateLimitError as error:
    seen["busy"] = error.response.headers["retry-after"]
try:
    openai.OpenAI(base_url=f"{base}/v1", api_key="wrong", max_retries=0).models.list()
except openai.AuthenticationError as error:
    seen["wrong key"] = error.code
seen["vectors"] = len(client.embeddings.create(model="embed", input=["a", "b"]).data)
seen["models"] = "agent/desk" in [model.id for model in client.models.list()]
agent = client.chat.completions.create(model="agent/desk", messages=user("What is 6 * 7?"))
seen["agent"] = [agent.choices[0].message.content, "calculate" in agent.choices[0].message.reasoning_content]
print(json.dumps(seen))
