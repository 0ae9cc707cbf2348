"""The client that the conformance suite examines: the program itself, used as a person uses it.

The suite starts a server for each of its scenarios and gives its address as the last argument. Here a project names that
server; what it offers is accepted, and each of its tools is called once.
"""

import json
import os
import subprocess
import sys
import tempfile

ADJUTANT = os.environ["ADJUTANT"]
SCENARIO = os.environ["MCP_CONFORMANCE_SCENARIO"]
CONTEXT = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")


# The tools that we make of a server's resources and prompts.
OURS = ("list_resources", "read_resource", "list_prompts", "get_prompt")


def adjutant(*words):
    """What the program writes to standard output, as data; none where it fails."""
    done = subprocess.run([ADJUTANT, *words, "--json"], stdout=subprocess.PIPE, timeout=100)
    return json.loads(done.stdout) if done.returncode == 0 else None


def sample(schema):
    """A value that fits a schema, as far as the suite's tools need one."""
    if "default" in schema:
        return schema["default"]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: sample(properties[name]) for name in schema.get("required", [])}
        case "integer" | "number":
            return 5
        case "boolean":
            return True
        case "array":
            return []
        case _:
            return "text"


def calls(tools):
    """What to call each tool with."""
    if SCENARIO == "json-schema-2020-12-preservation":
        # The suite wants to see what we know of one tool, told to the other.
        echo = next(tool for tool in tools if "schema" in tool["parameters"].get("properties", {}))
        shown = next(tool for tool in tools if tool is not echo)
        return {echo["name"]: {"schema": shown["parameters"]}}
    told = {f"x__{call['name']}": call["arguments"] for call in CONTEXT.get("toolCalls", [])}
    return {tool["name"]: sample(tool["parameters"]) for tool in tools} | told


def call(tool, given):
    return asked("tools", "call", tool, json.dumps(given), "--yes", "--answer", "{}")


# What stands for a browser: the suite's login servers agree by themselves.
BROWSER = """#!/usr/bin/env python3
import sys, urllib.request
urllib.request.urlopen(sys.argv[1]).read()
"""

# Where the suite thinks that a client describes itself.
DOCUMENT = "https://conformance-test.local/client-metadata.json"


def auth():
    """How the project says that a login is needed, as the table of a server; nothing where none is."""
    if not SCENARIO.startswith("auth/"):
        return ""
    words = {"type": "client_credentials" if "client-credentials" in SCENARIO else "oauth"}
    if SCENARIO == "auth/basic-cimd":
        words["client_metadata"] = DOCUMENT
    if "client_secret" in CONTEXT:
        words |= {"client_id": CONTEXT["client_id"], "client_secret": "client"}
    if "issuer" in CONTEXT:
        words["issuer"] = CONTEXT["issuer"]
    return "auth = { " + ", ".join(f"{key} = {json.dumps(word)}" for key, word in words.items()) + " }\n"


def login():
    return adjutant("tools", "login", "x")


def asked(*words):
    """The same as `adjutant`; where a login is missing, not enough or over, it is renewed once."""
    answer = adjutant(*words)
    if answer is None and auth() and login() is not None:
        answer = adjutant(*words)
    return answer


def prepare(url):
    """Makes the project, and a browser and a home for whoever logs in."""
    with open("adjutant.toml", "w") as project:
        project.write('[secrets]\nclient = { env = "CLIENT" }\n\n')
        project.write(f'[tools.x]\ntype = "mcp"\nurl = "{url}"\ntimeout = "60s"\n{auth()}')
    with open("browser", "w") as browser:
        browser.write(BROWSER)
    os.chmod("browser", 0o755)
    os.environ |= {
        "HOME": os.getcwd(),
        "BROWSER": os.path.join(os.getcwd(), "browser"),
        "CLIENT": CONTEXT.get("client_secret", "none"),
    }


def main(url):
    prepare(url)
    if auth() and login() is None:
        sys.exit("nobody could log in")
    if asked("tools", "trust", "x", "--yes") is None:
        sys.exit("nothing could be accepted")
    tools = adjutant("tools", "list")
    offered = [tool for tool in tools if tool["name"].removeprefix("x__") not in OURS]
    failed = [name for name, given in calls(offered).items() if call(name, given) is None]
    names = {tool["name"] for tool in tools}
    for lister, reader, key in (
        ("x__list_resources", "x__read_resource", "uri"),
        ("x__list_prompts", "x__get_prompt", "name"),
    ):
        if lister in names:
            text = call(lister, {})["content"][0]["text"]
            call(reader, {key: text.split()[0].rstrip(":")})
    if failed:
        sys.exit(f"these calls failed: {', '.join(failed)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(sys.argv[-1])
