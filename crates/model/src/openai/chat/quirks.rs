//! In what servers of chat completions differ: what can differ, one field each. What holds for whom stands in
//! `servers.rs`.

/// In what a server of chat completions differs from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The parameter for the most tokens of an answer.
    pub max_tokens: &'static str,
    /// Whether it takes `stream_options`; who refuses the field counts tokens without being asked.
    pub stream_options: bool,
    /// How the form of an answer is asked for.
    pub schema: Schema,
    /// Whether it hands requests to others, who may leave out what they do not know unless they are told not to.
    pub routes: bool,
    /// How a model is held to calling a tool.
    pub forcing: Forcing,
    /// Whether it takes `parallel_tool_calls`, by which a model is held to one call at a time.
    pub parallel_switch: bool,
    /// How it is told how much a model shall think.
    pub efforts: Efforts,
    /// Whether models that reason take texts that end an answer.
    pub stop_while_reasoning: bool,
    /// How a model's earlier reasoning goes back.
    pub echo: Echo<'static>,
    /// Which ids of calls it takes.
    pub call_ids: CallIds,
    /// Which order of messages it takes.
    pub order: Order,
    /// How it takes sounds and files.
    pub media: Media,
    /// Whether the result of a tool may hold media; elsewhere they follow in a message of the user.
    pub media_in_results: bool,
    /// Whether it marks by itself what of a conversation Anthropic's models shall keep, where it is told to.
    pub cache_control: bool,
}

/// How the form of an answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// By `json_schema`.
    Beside,
    /// By `json_schema`, but not beside tools: the server refuses both together, or the schema keeps the model from calling
    /// any tool.
    Alone,
    /// The same, and only of an answer that is not streamed.
    AloneAndWhole,
    /// By `json_object`, and the schema in words.
    InWords,
    /// By a tool.
    ByTool,
}

/// How a model is held to calling a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forcing {
    /// By `required`, or by the tool's name.
    ByName,
    /// By this word; a single tool by showing no other.
    ByWord(&'static str),
    /// Not surely: `tool_choice` may not be read. What must not be called is not shown.
    Unread,
    /// As [`ByName`](Self::ByName), but not while the model thinks, which it does unless it is told not to.
    WithoutThinking,
}

/// How a server is told how much a model shall think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Efforts {
    /// In OpenAI's words: `none`, `minimal`, `low`, `medium`, `high` and `xhigh`.
    Words,
    /// In those of them that the model knows, which is one of OpenAI's own.
    OpenAi,
    /// In these words, but nothing between `none` and `low`, or above `high`.
    ToHigh,
    /// As DeepSeek is told.
    DeepSeek,
    /// As Groq is told.
    Groq,
    /// As Mistral is told.
    Mistral,
    /// As Together is told.
    Together,
    /// As xAI is told.
    Xai,
}

/// How a model's earlier reasoning goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo<'a> {
    /// Not at all.
    Nowhere,
    /// Its text, in a field of that name.
    Field(&'a str),
    /// The same, and in every message of the model, whether or not it thought.
    EveryTime(&'a str),
    /// As Mistral's parts of content.
    Chunks,
    /// As OpenRouter's `reasoning_details`.
    Details,
    /// As LiteLLM's `thinking_blocks`.
    Blocks,
}

/// Which ids of calls a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallIds {
    /// Any.
    Any,
    /// Nine letters and digits.
    Nine,
}

/// Which order of messages a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Any.
    Any,
    /// Instructions stand in one message, which is the first.
    SystemFirst,
    /// The same; a model speaks between a tool and a user, and never says nothing.
    Strict,
}

/// How a server takes sounds and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Both as their bytes; sounds are WAV or MP3.
    OpenAi,
    /// As [`OpenAi`](Self::OpenAi), with more kinds of sound, and files by their address too.
    OpenRouter,
    /// A sound as nothing but its bytes or address, a document by its address.
    Mistral,
    /// As [`OpenAi`](Self::OpenAi), but a file's bytes stand in the part itself.
    DeepSeek,
}
