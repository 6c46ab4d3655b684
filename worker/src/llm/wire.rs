//! What is sent to a model: the part of the chat completions format that all servers have in common.

use serde::Serialize;
use serde_json::Value;

/// The longest name of a tool that servers take, in characters.
const MAX_TOOL_NAME: usize = 64;

/// A message of the conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(crate) enum Message {
    /// What we ask for.
    System { content: String },
    /// What a visitor wrote.
    User { content: Content },
    /// What the model said and called.
    Assistant {
        content: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
    },
    /// What came of a call.
    Tool { tool_call_id: String, content: String },
}

/// Text, or text with pictures.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Part {
    Text { text: String },
    ImageUrl { image_url: Image },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Image {
    pub(crate) url: String,
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A call of a tool, as it is put back into the conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ToolCall {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Function {
    name: String,
    arguments: String,
}

impl ToolCall {
    /// A call with arguments as JSON. A tool that a model has made up has any name, which servers refuse when it comes back
    /// unless it is one that a tool could have.
    pub(crate) fn new(id: String, name: &str, arguments: String) -> Self {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let name = name.chars().map(|c| if known(c) { c } else { '_' });
        let name = name.take(MAX_TOOL_NAME).collect();
        let function = Function { name, arguments };
        Self {
            id,
            kind: "function",
            function,
        }
    }
}

/// A request but for the model's name.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Body<'a> {
    pub(crate) model: &'a str,
    pub(crate) messages: &'a [Message],
    pub(crate) stream: bool,
    pub(crate) stream_options: StreamOptions,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    pub(crate) tools: &'a [Value],
    /// `none` where no more calls are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_choice: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StreamOptions {
    pub(crate) include_usage: bool,
}
