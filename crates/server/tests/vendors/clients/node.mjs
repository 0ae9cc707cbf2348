// The vendors' clients for Node and Vercel's AI SDK: what they understand of the service, as JSON.

import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

// What it prints beside the result would be taken for it.
globalThis.AI_SDK_LOG_WARNINGS = false;

const [base, key] = process.argv.slice(2);
const seen = {};
const user = (content) => [{ role: "user", content }];

const openai = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0 });
const plain = await openai.chat.completions.create({ model: "main", messages: user("hi") });
const streamed = openai.chat.completions.stream({ model: "main", messages: user("hi") });
const first = await openai.responses.create({ model: "main", input: "I am Ann" });
const second = await openai.responses.create({ model: "main", input: "What was my name?", previous_response_id: first.id });
seen.openai = [plain.choices[0].message.content, await streamed.finalContent(), second.output_text];
seen.busy = await openai.chat.completions
  .create({ model: "main", messages: user("busy now") })
  .catch((error) => error.headers.get("retry-after"));

const anthropic = new Anthropic({ baseURL: base, apiKey: key, maxRetries: 0 });
const message = await anthropic.messages.create({ model: "main", max_tokens: 50, messages: user("hi") });
const stream = anthropic.messages.stream({ model: "deep", max_tokens: 50, messages: user("hi") });
const counted = await anthropic.messages.countTokens({ model: "main", messages: user("hi") });
seen.anthropic = [message.content[0].text, await stream.finalText(), counted.input_tokens > 0];

const temperature = tool({
  description: "Looks.",
  inputSchema: z.object({ city: z.string() }),
  execute: async () => "21",
});
const vercel = { openai: createOpenAI({ baseURL: `${base}/v1`, apiKey: key }), anthropic: createAnthropic({ baseURL: `${base}/v1`, apiKey: key }) };
const models = {
  chat: vercel.openai.chat("main"),
  responses: vercel.openai.responses("main"),
  messages: vercel.anthropic("main"),
};
for (const [name, model] of Object.entries(models)) {
  const found = {};
  found.plain = (await generateText({ model, prompt: "hi", maxRetries: 0 })).text;
  let text = "";
  for await (const piece of streamText({ model, prompt: "hi", maxRetries: 0 }).textStream) text += piece;
  found.streamed = text;
  const stopWhen = stepCountIs(3);
  found.tools = (await generateText({ model, prompt: "Where is it warmer?", tools: { temperature }, stopWhen, maxRetries: 0 })).text;
  const walked = streamText({ model, prompt: "Where is it warmer?", tools: { temperature }, stopWhen, maxRetries: 0 });
  for await (const _ of walked.textStream);
  found["streamed tools"] = (await walked.steps).at(-1).text;
  if (name !== "messages") {
    found.form = (await generateObject({ model, prompt: "hi", schema: z.object({ answer: z.number() }), maxRetries: 0 })).object.answer;
  }
  seen[`vercel ${name}`] = found;
}
console.log(JSON.stringify(seen));
