"""Amazon Bedrock's Converse through Amazon's own client, with signed requests."""

import base64
import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from scene import ADDRESS, KEY, SYSTEM, TOOL, TOOL_DESCRIPTION, TOOL_SCHEMA, Call, Understood, Vendor, play

FINISH = {"end_turn": "stop", "tool_use": "calls", "max_tokens": "length", "content_filtered": "refusal"}


class Converse(Vendor):
    def client(self, key):
        # An API key of Bedrock's would not do: the client sends none to an address without TLS.
        return boto3.client(
            "bedrock-runtime",
            endpoint_url=ADDRESS,
            region_name="us-east-1",
            aws_access_key_id="AKIDMOCK",
            aws_secret_access_key=key,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def ask(self, conversation, stream=False, tools=False, shape=None, key=KEY):
        client = self.client(key)
        request = {
            "modelId": "mock.mock-1-v1:0",
            "system": [{"text": SYSTEM}, {"cachePoint": {"type": "default"}}],
            "messages": conversation,
            "inferenceConfig": {"maxTokens": 1000, "temperature": 0.5},
        }
        if tools:
            tool = {"name": TOOL, "description": TOOL_DESCRIPTION, "inputSchema": {"json": TOOL_SCHEMA}}
            request["toolConfig"] = {"tools": [{"toolSpec": tool}], "toolChoice": {"auto": {}}}
        if shape:
            named = {"name": "report", "schema": json.dumps(shape)}
            form = {"type": "json_schema", "structure": {"jsonSchema": named}}
            request["outputConfig"] = {"textFormat": form}
        if stream:
            return understood(*gathered(client.converse_stream(**request)["stream"]))
        answer = client.converse(**request)
        return understood(answer["output"]["message"]["content"], answer["stopReason"], answer["usage"])

    def user(self, text, picture=None):
        content = [{"text": text}]
        if picture:
            content.append({"image": {"format": "png", "source": {"bytes": base64.b64decode(picture)}}})
        return [{"role": "user", "content": content}]

    def results(self, results):
        content = [{"toolResult": {"toolUseId": call.id, "content": [{"text": text}]}} for call, text in results]
        return [{"role": "user", "content": content}]

    def vectors(self, texts, dimensions):
        client = self.client(KEY)

        def vector(text):
            body = json.dumps({"inputText": text, "dimensions": dimensions, "normalize": True})
            answer = client.invoke_model(
                modelId="amazon.titan-embed-text-v2:0", body=body, contentType="application/json"
            )
            return json.load(answer["body"])["embedding"]

        return [vector(text) for text in texts]

    def failure(self, exception):
        assert isinstance(exception, ClientError), repr(exception)
        error, metadata = exception.response["Error"], exception.response.get("ResponseMetadata", {})
        if isinstance(exception, EventStreamError):
            return {"kind": error["Code"], "message": error["Message"]}
        return {
            "status": metadata["HTTPStatusCode"],
            "message": error["Message"],
            "retry_after": metadata["HTTPHeaders"].get("retry-after"),
            "request": metadata["RequestId"],
        }


def gathered(events):
    """The blocks of a streamed answer, why it stopped, and what it used."""
    blocks, reason, usage = {}, None, None
    for event in events:
        match event:
            case {"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": tool}}}:
                blocks[index] = {"toolUse": {**tool, "input": ""}}
            case {"contentBlockDelta": {"contentBlockIndex": index, "delta": {"text": text}}}:
                block = blocks.setdefault(index, {"text": ""})
                block["text"] += text
            case {"contentBlockDelta": {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}}}:
                blocks[index]["toolUse"]["input"] += piece
            case {"contentBlockDelta": {"contentBlockIndex": index, "delta": {"reasoningContent": piece}}}:
                block = blocks.setdefault(index, {"reasoningContent": {"reasoningText": {"text": ""}}})
                reasoning = block["reasoningContent"]["reasoningText"]
                reasoning["text"] += piece.get("text", "")
                if "signature" in piece:
                    reasoning["signature"] = piece["signature"]
            case {"messageStop": {"stopReason": found}}:
                reason = found
            case {"metadata": {"usage": found}}:
                usage = found
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return [blocks[index] for index in sorted(blocks)], reason, usage


def understood(content, reason, usage):
    text = "".join(block["text"] for block in content if "text" in block)
    thoughts = [block["reasoningContent"]["reasoningText"] for block in content if "reasoningContent" in block]
    calls = [block["toolUse"] for block in content if "toolUse" in block]
    finish = FINISH[reason]
    return Understood(
        text="" if finish == "refusal" else text,
        reasoning="".join(thought["text"] for thought in thoughts),
        refusal=text if finish == "refusal" else "",
        calls=[Call(call["toolUseId"], call["name"], call["input"]) for call in calls],
        finish=finish,
        usage={
            "input": usage["inputTokens"] + usage["cacheReadInputTokens"] + usage["cacheWriteInputTokens"],
            "output": usage["outputTokens"],
            "cached": usage["cacheReadInputTokens"],
        },
        turn={"role": "assistant", "content": content},
    )


if __name__ == "__main__":
    play(Converse())
