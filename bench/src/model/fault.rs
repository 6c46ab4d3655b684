//! What a model server can do wrong, or merely differently. Each has been seen in the wild.

use serde::Deserialize;

/// Declares the faults together with the list of them, so that a test of all faults forgets none.
macro_rules! faults {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// One deviation; in a script and behind `fault:` in a model's name by its name in snake case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Fault {
            $($(#[$doc])+ $name,)+
        }

        impl Fault {
            /// All of them, in this order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

faults! {
    /// All goes well: a pause in a sequence of faults.
    None,
    /// The bytes come in pieces that end within characters.
    SplitUtf8,
    /// No usage is reported.
    NoUsage,
    /// The stream ends without `[DONE]`, and without the blank line behind its last chunk.
    NoDone,
    /// Chunks and deltas have fields that nobody knows, `reasoning_content` among them; there are comments between them.
    UnknownFields,
    /// Chunks without choices, and choices without a delta, come in between.
    EmptyChoices,
    /// The second chunk is not JSON.
    BrokenJson,
    /// Silence after the third chunk; the connection stays.
    Stall,
    /// Silence from the beginning.
    StallAtOnce,
    /// The connection breaks after the third chunk.
    Disconnect,
    /// The connection breaks before the first chunk.
    DisconnectAtOnce,
    /// 429 with `Retry-After: 1`.
    RateLimited,
    /// 500 with a page that quotes the request.
    ServerError,
    /// 401.
    Unauthorized,
    /// NUL and other control characters in the text.
    Nul,
    /// 200, a stream, and nothing in it.
    Empty,
    /// 200 with an HTML page.
    Html,
    /// The whole reply as JSON although a stream was asked for.
    NotStreamed,
    /// An error object within the stream.
    ErrorChunk,
    /// The text goes on for ever.
    Endless,
    /// Lines end in CR and LF, fields have no space behind their colon, and a chunk's JSON comes in several lines.
    Crlf,
    /// The text begins with what the model thought, between `<think>` and `</think>`.
    Thinks,
    /// The content is a list of parts, thoughts among them.
    Parts,
    /// The reply ends after the third chunk because it was long enough (`finish_reason` is `length`).
    CutShort,
    /// 429 that asks for an hour's patience.
    RateLimitedLong,
    /// 200 with an error object.
    ErrorBody,
    /// A line that never ends.
    Flood,
    /// Among the chunks is one whose text is no UTF-8.
    BadUtf8,
    /// Tool calls come whole, without an index and with an object for arguments.
    WholeCalls,
    /// Tool calls come whole, each with an id of its own and all with index 0.
    SameIndex,
    /// Every chunk has a `finish_reason`, which is empty until the reply is at its end; the connection breaks after the third one.
    EmptyReasons,
    /// An error object and a line that is not JSON follow the chunk with the `finish_reason`.
    ErrorAtTheEnd,
    /// Tool calls come whole, all with index 0, and without ids.
    SameIndexNoIds,
    /// The stream begins with a byte order mark.
    Bom,
}

impl Fault {
    /// Reads a name as it stands in a script.
    pub fn named(name: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
    }
}
