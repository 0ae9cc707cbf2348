"""Anthropic's messages through Anthropic's own client."""

import anthropic

from scene import ADDRESS, KEY, SYSTEM, TOOL, TOOL_DESCRIPTION, TOOL_SCHEMA, Call, Understood, Vendor, play

FINISH = {"end_turn": "stop", "tool_use": "calls", "max_tokens": "length", "refusal": "refusal"}


class Messages(Vendor):
    def ask(self, conversation, stream=False, tools=False, shape=None, key=KEY):
        # The client adds the version itself.
        client = anthropic.Anthropic(base_url=ADDRESS.removesuffix("/v1"), api_key=key, max_retries=0)
        request = {
            "model": "mock-1",
            "max_tokens": 1000,
            "system": [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}],
            "messages": conversation,
            "thinking": {"type": "adaptive", "display": "summarized"},
        }
        if tools:
            request |= {
                "tools": [{"name": TOOL, "description": TOOL_DESCRIPTION, "input_schema": TOOL_SCHEMA, "strict": True}],
                "tool_choice": {"type": "auto"},
            }
        if shape:
            request["output_config"] = {"format": {"type": "json_schema", "schema": shape}}
        if not stream:
            return understood(client.messages.create(**request))
        with client.messages.stream(**request) as events:
            return understood(events.get_final_message())

    def user(self, text, picture=None):
        content = [{"type": "text", "text": text}]
        if picture:
            source = {"type": "base64", "media_type": "image/png", "data": picture}
            content.insert(0, {"type": "image", "source": source})
        return [{"role": "user", "content": content if picture else text}]

    def results(self, results):
        content = [{"type": "tool_result", "tool_use_id": call.id, "content": text} for call, text in results]
        return [{"role": "user", "content": content}]

    def failure(self, exception):
        return {
            "status": exception.status_code,
            "message": exception.body["error"]["message"],
            "retry_after": exception.response.headers.get("retry-after"),
            "request": exception.request_id,
        }


def understood(message):
    text = "".join(block.text for block in message.content if block.type == "text")
    refused = message.stop_reason == "refusal"
    usage = message.usage
    return Understood(
        text="" if refused else text,
        reasoning="".join(block.thinking for block in message.content if block.type == "thinking"),
        refusal=text if refused else "",
        calls=[Call(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"],
        finish=FINISH[message.stop_reason],
        usage={
            "input": usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
            "output": usage.output_tokens,
            "cached": usage.cache_read_input_tokens,
            "reasoning": usage.output_tokens_details.thinking_tokens,
        },
        turn={
            "role": "assistant",
            "content": [block.model_dump(mode="json", include=block.model_fields_set) for block in message.content],
        },
    )


if __name__ == "__main__":
    play(Messages())
