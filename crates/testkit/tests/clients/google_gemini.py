"""Google's Gemini through Google's own client."""

from google import genai
from google.genai import errors, types

from scene import ADDRESS, KEY, SYSTEM, TOOL, TOOL_DESCRIPTION, TOOL_SCHEMA, Call, Understood, Vendor, play

FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "filter"}


class Gemini(Vendor):
    embedder = "gemini-embedding-001"

    def client(self, key):
        address, version = ADDRESS.rsplit("/", 1)
        return genai.Client(api_key=key, http_options={"base_url": address, "api_version": version})

    def ask(self, conversation, stream=False, tools=False, shape=None, key=KEY):
        client = self.client(key)
        config = {
            "system_instruction": SYSTEM,
            "max_output_tokens": 1000,
            "temperature": 0.5,
            "thinking_config": {"include_thoughts": True},
            "automatic_function_calling": {"disable": True},
        }
        if tools:
            function = {"name": TOOL, "description": TOOL_DESCRIPTION, "parameters_json_schema": TOOL_SCHEMA}
            config |= {
                "tools": [{"function_declarations": [function]}],
                "tool_config": {"function_calling_config": {"mode": "AUTO"}},
            }
        if shape:
            config |= {"response_mime_type": "application/json", "response_json_schema": shape}
        request = {"model": "mock-1", "contents": conversation, "config": config}
        if not stream:
            return understood([client.models.generate_content(**request)])
        return understood(list(client.models.generate_content_stream(**request)))

    def user(self, text, picture=None):
        parts = [{"text": text}]
        if picture:
            parts.append({"inline_data": {"mime_type": "image/png", "data": picture}})
        return [{"role": "user", "parts": parts}]

    def results(self, results):
        parts = [
            {"function_response": {"id": call.id, "name": call.name, "response": {"output": text}}}
            for call, text in results
        ]
        return [{"role": "user", "parts": parts}]

    def vectors(self, texts, dimensions):
        # A client that nobody holds is closed.
        client = self.client(KEY)
        config = {"output_dimensionality": dimensions}
        found = client.models.embed_content(model=self.embedder, contents=texts, config=config)
        return [each.values for each in found.embeddings]

    def failure(self, exception):
        if not isinstance(exception, errors.APIError):
            return {"kind": type(exception).__name__, "message": str(exception)}
        response = exception.response
        return {
            "status": exception.code,
            "message": exception.message,
            "retry_after": response.headers.get("retry-after") if response is not None else None,
        }


def understood(chunks):
    """What a client understood of an answer, which comes as one chunk where it is not streamed."""
    candidates = [candidate for chunk in chunks for candidate in chunk.candidates or []]
    parts = [part for candidate in candidates if candidate.content for part in candidate.content.parts or []]
    calls = [part.function_call for part in parts if part.function_call]
    reason = next(candidate.finish_reason for candidate in reversed(candidates) if candidate.finish_reason)
    finish = "calls" if calls else FINISH[reason.value]
    usage = next(chunk.usage_metadata for chunk in reversed(chunks) if chunk.usage_metadata)
    thoughts = usage.thoughts_token_count or 0
    return Understood(
        text="".join(part.text for part in parts if part.text and not part.thought),
        reasoning="".join(part.text for part in parts if part.text and part.thought),
        calls=[Call(call.id, call.name, call.args) for call in calls],
        finish=finish,
        usage={
            "input": usage.prompt_token_count,
            "output": usage.candidates_token_count + thoughts,
            "cached": usage.cached_content_token_count or 0,
            "reasoning": thoughts,
        },
        turn=types.Content(role="model", parts=[part for part in parts if is_sent_back(part)]),
    )


def is_sent_back(part):
    """Thoughts are not, and neither are empty parts that end a stream, unless they carry a signature."""
    return not part.thought and (part.text != "" or part.thought_signature)


if __name__ == "__main__":
    play(Gemini())
