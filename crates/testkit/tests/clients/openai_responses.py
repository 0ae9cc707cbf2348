"""OpenAI's responses through OpenAI's own client."""

import json

import openai

from scene import ADDRESS, KEY, SYSTEM, TOOL, TOOL_DESCRIPTION, TOOL_SCHEMA, Call, Understood, Vendor, play

FINISH = {"max_output_tokens": "length", "content_filter": "filter"}
# What the client adds to what it got.
OF_THE_CLIENT = {"parsed", "parsed_arguments"}


class Responses(Vendor):
    def ask(self, conversation, stream=False, tools=False, shape=None, key=KEY):
        client = openai.OpenAI(base_url=ADDRESS, api_key=key, max_retries=0)
        request = {
            "model": "mock-1",
            "instructions": SYSTEM,
            "input": conversation,
            "max_output_tokens": 1000,
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "store": False,
        }
        if tools:
            function = {"name": TOOL, "description": TOOL_DESCRIPTION, "parameters": TOOL_SCHEMA, "strict": True}
            request |= {
                "tools": [{"type": "function", **function}],
                "tool_choice": "auto",
                "parallel_tool_calls": True,
            }
        if shape:
            named = {"name": "report", "schema": shape, "strict": True}
            request["text"] = {"format": {"type": "json_schema", **named}}
        if not stream:
            return understood(client.responses.create(**request))
        with client.responses.stream(**request) as events:
            for event in events:
                if event.type == "error":
                    raise RuntimeError(event.message)
                if event.type == "response.failed":
                    raise RuntimeError(event.response.error.message)
                if event.type == "response.incomplete":
                    return understood(event.response)
            return understood(events.get_final_response())

    def user(self, text, picture=None):
        content = [{"type": "input_text", "text": text}]
        if picture:
            image = f"data:image/png;base64,{picture}"
            content.append({"type": "input_image", "image_url": image, "detail": "auto"})
        return [{"type": "message", "role": "user", "content": content if picture else text}]

    def again(self, understood):
        return understood.turn

    def results(self, results):
        return [{"type": "function_call_output", "call_id": call.id, "output": text} for call, text in results]

    def failure(self, exception):
        if isinstance(exception, openai.APIStatusError):
            return {
                "status": exception.status_code,
                "message": exception.body["message"],
                "retry_after": exception.response.headers.get("retry-after"),
                "request": exception.request_id,
            }
        return {"kind": type(exception).__name__, "message": str(exception)}


def understood(response):
    calls = [item for item in response.output if item.type == "function_call"]
    reasoning = [item for item in response.output if item.type == "reasoning"]
    parts = [part for item in response.output if item.type == "message" for part in item.content]
    refusal = "".join(part.refusal for part in parts if part.type == "refusal")
    if response.status == "incomplete":
        finish = FINISH[response.incomplete_details.reason]
    else:
        finish = "refusal" if refusal else "calls" if calls else "stop"
    usage = response.usage
    return Understood(
        text="".join(part.text for part in parts if part.type == "output_text"),
        reasoning="".join(piece.text for item in reasoning for piece in item.summary),
        refusal=refusal,
        calls=[Call(call.call_id, call.name, json.loads(call.arguments)) for call in calls],
        finish=finish,
        usage={
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cached": usage.input_tokens_details.cached_tokens,
            "reasoning": usage.output_tokens_details.reasoning_tokens,
        },
        turn=[plain(item.model_dump(mode="json", exclude_none=True)) for item in response.output],
    )


def plain(value):
    """What the client got, without what it added."""
    match value:
        case dict():
            return {name: plain(inner) for name, inner in value.items() if name not in OF_THE_CLIENT}
        case list():
            return [plain(inner) for inner in value]
    return value


if __name__ == "__main__":
    play(Responses())
