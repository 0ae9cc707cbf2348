"""An MCP server over standard input and output whose calls do not end at once: they ask people, or go on by themselves.

The first argument is the revision of the protocol that it speaks, the second a folder. What it has done stands there, so
that it is known after it was killed, and what it is doing, so that it goes on.
"""

import json
import os
import sys

REVISION, FOLDER = sys.argv[1], sys.argv[2]
NEWEST = REVISION == "2026-07-28"
FORM = {"message": "Who is it for?", "requestedSchema": {"type": "object", "required": ["name"], "properties": {
    "name": {"type": "string", "title": "The name", "minLength": 2}, "seats": {"type": "integer", "default": 2}}}}
VISIT = {"mode": "url", "message": "Please sign.", "url": "https://example.org/sign"}
TOOLS = {
    "greet": ("Greets whom a person names.", {"readOnlyHint": True}),
    "book": ("Books a table for whom a person names.", {}),
    "sign": ("Has a person sign somewhere.", {}),
    "bake": ("Bakes a cake, which takes a while.", {}),
}
waiting = {}


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def note(name, line):
    with open(os.path.join(FOLDER, name), "a") as file:
        file.write(line + "\n")


def lines(name):
    path = os.path.join(FOLDER, name)
    return open(path).read().splitlines() if os.path.exists(path) else []


def done(text):
    return {"resultType": "complete", "content": [{"type": "text", "text": text}]}


def finish(tool, answer):
    """What a call comes to once its question is answered."""
    note("answers", json.dumps(answer, sort_keys=True))
    if answer["action"] != "accept":
        return {**done(f"nothing, for the person said {answer['action']}"), "isError": True}
    if tool == "sign":
        return done("signed")
    words = f"{answer['content']['name']}, {answer['content']['seats']} seats"
    if tool == "book":
        note("booked", words)
    return done(f"{tool}: {words}")


def ask(tool, identity, params):
    """Asks before it goes on, in the way of the revision."""
    form = VISIT if tool == "sign" else FORM
    if NEWEST:
        responses = params.get("inputResponses")
        if responses is None:
            request = {"method": "elicitation/create", "params": {"mode": "form", **form}}
            return send({"id": identity, "result": {"resultType": "input_required", "inputRequests": {"who": request},
                                                    "requestState": f"state of {tool}"}})
        if params.get("requestState") != f"state of {tool}":
            return send({"id": identity, "error": {"code": -32602, "message": "that is another state"}})
        return send({"id": identity, "result": finish(tool, responses["who"])})
    note("asked", tool)
    waiting[f"q{identity}"] = (tool, identity)
    send({"id": f"q{identity}", "method": "elicitation/create",
          "params": {"elicitationId": "e1", **form} if tool == "sign" else form})


def task(looks):
    """How far the cake is: it asks what is to stand on it, and is ready once somebody has opened the oven."""
    about = {"resultType": "complete", "taskId": "cake-7", "createdAt": "2026-07-28T00:00:00Z", "ttlMs": None,
             "lastUpdatedAt": "2026-07-28T00:00:00Z", "pollIntervalMs": 50}
    if lines("cancelled"):
        return {**about, "status": "cancelled"}
    if lines("oven"):
        return {**about, "status": "completed", "result": done(f"a cake for {lines('icing')[-1]}")}
    if looks > 1 and not lines("icing"):
        return {**about, "status": "input_required", "inputRequests": {
            "icing": {"method": "elicitation/create", "params": {"mode": "form", **FORM}}}}
    return {**about, "status": "working", "statusMessage": "it rises"}


def answer(message):
    method, identity, params = message.get("method"), message.get("id"), message.get("params") or {}
    if method is None:
        tool, call = waiting.pop(identity)
        send({"id": call, "result": finish(tool, message["result"])})
    elif method == "server/discover" and NEWEST:
        send({"id": identity, "result": {
            "resultType": "complete", "supportedVersions": [REVISION], "ttlMs": 0, "cacheScope": "private",
            "capabilities": {"tools": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}},
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "patient", "version": "1"}}}})
    elif method == "initialize":
        send({"id": identity, "result": {"protocolVersion": REVISION, "capabilities": {"tools": {}},
                                         "serverInfo": {"name": "patient", "version": "1"}}})
    elif method == "tools/list":
        tools = [{"name": name, "description": about, "annotations": hints, "inputSchema": {"type": "object"}}
                 for name, (about, hints) in TOOLS.items() if NEWEST or name != "bake"]
        send({"id": identity, "result": {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": tools}})
    elif method == "tools/call" and params["name"] == "bake":
        note("baked", "one")
        send({"id": identity, "result": {**task(0), "resultType": "task"}})
    elif method == "tools/call":
        ask(params["name"], identity, params)
    elif method == "tasks/get" and params["taskId"] == "cake-7" and not lines("thrown away"):
        note("looks", "one")
        send({"id": identity, "result": task(len(lines("looks")))})
    elif method == "tasks/update":
        note("icing", params["inputResponses"]["icing"]["content"]["name"])
        send({"id": identity, "result": {"resultType": "complete"}})
    elif method == "tasks/cancel":
        note("cancelled", params["taskId"])
        send({"id": identity, "result": {"resultType": "complete"}})
    elif method == "notifications/cancelled":
        note("unwanted", "one")
    elif identity is not None:
        send({"id": identity, "error": {"code": -32602 if method == "tasks/get" else -32601, "message": "unknown"}})


for line in sys.stdin:
    answer(json.loads(line))
