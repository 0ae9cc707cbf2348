"""OpenAI's chat completions through OpenAI's own client."""

import json

import openai

from scene import ADDRESS, KEY, SYSTEM, TOOL, TOOL_DESCRIPTION, TOOL_SCHEMA, Call, Understood, Vendor, play

FINISH = {"stop": "stop", "tool_calls": "calls", "length": "length", "content_filter": "filter"}


class Chat(Vendor):
    def ask(self, conversation, stream=False, tools=False, shape=None, key=KEY):
        client = openai.OpenAI(base_url=ADDRESS, api_key=key, max_retries=0)
        request = {
            "model": "mock-1",
            "messages": [{"role": "developer", "content": SYSTEM}, *conversation],
            "max_completion_tokens": 1000,
            "temperature": 0.5,
        }
        if tools:
            function = {"name": TOOL, "description": TOOL_DESCRIPTION, "parameters": TOOL_SCHEMA, "strict": True}
            request |= {
                "tools": [{"type": "function", "function": function}],
                "tool_choice": "auto",
                "parallel_tool_calls": True,
            }
        if shape:
            named = {"name": "report", "schema": shape, "strict": True}
            request["response_format"] = {"type": "json_schema", "json_schema": named}
        if not stream:
            return understood(client.chat.completions.create(**request))
        with client.chat.completions.stream(**request, stream_options={"include_usage": True}) as events:
            try:
                for _ in events:
                    pass
                return understood(events.get_final_completion())
            except openai.LengthFinishReasonError as cut:
                return understood(cut.completion)

    def user(self, text, picture=None):
        content = [{"type": "text", "text": text}]
        if picture:
            content.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}})
        return [{"role": "user", "content": content if picture else text}]

    def results(self, results):
        return [{"role": "tool", "tool_call_id": call.id, "content": text} for call, text in results]

    def vectors(self, texts, dimensions):
        client = openai.OpenAI(base_url=ADDRESS, api_key=KEY, max_retries=0)
        found = client.embeddings.create(model="text-embedding-3-small", input=texts, dimensions=dimensions)
        return [each.embedding for each in sorted(found.data, key=lambda each: each.index)]

    def failure(self, exception):
        if isinstance(exception, openai.APIStatusError):
            return {
                "status": exception.status_code,
                "message": exception.body["message"],
                "retry_after": exception.response.headers.get("retry-after"),
                "request": exception.request_id,
            }
        return {"kind": type(exception).__name__, "message": str(exception)}


def understood(completion):
    choice = completion.choices[0]
    message = choice.message
    calls = message.tool_calls or []
    usage = completion.usage
    turn = {"role": "assistant", "content": message.content}
    if calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
            for call in calls
        ]
    return Understood(
        text=message.content or "",
        reasoning=getattr(message, "reasoning_content", None) or "",
        refusal=message.refusal or "",
        calls=[Call(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls],
        finish="refusal" if message.refusal else FINISH[choice.finish_reason],
        usage={
            "input": usage.prompt_tokens,
            "output": usage.completion_tokens,
            "cached": usage.prompt_tokens_details.cached_tokens,
            "reasoning": usage.completion_tokens_details.reasoning_tokens,
        },
        turn=turn,
    )


if __name__ == "__main__":
    play(Chat())
