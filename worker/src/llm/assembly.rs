//! Putting a reply together from its chunks: text at once, tool calls by their index, usage at the end.

use serde_json::Value;

use super::failure::Failure;
use super::utf8::Utf8;

/// The most calls that one reply may have.
const MAX_CALLS: usize = 8;
/// The longest arguments of one call, in bytes.
const MAX_ARGUMENTS: usize = 16 << 10;

/// What a reply comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Completion {
    /// The tool calls, in the order of their index.
    pub(crate) calls: Vec<RawCall>,
    /// Tokens, where the server counts.
    pub(crate) usage: Option<Usage>,
    /// Whether there was any text.
    pub(crate) spoke: bool,
}

/// A tool call as the model made it; its arguments may be no JSON at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawCall {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// Tokens that were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
}

/// A reply on its way.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    /// By the server's index, in the order in which they began.
    calls: Vec<(u64, RawCall)>,
    usage: Option<Usage>,
    spoke: bool,
    finished: bool,
    /// The server has ended it before the model did.
    cut: bool,
}

impl Assembly {
    /// Takes the data of one event, and returns the text in it.
    ///
    /// # Errors
    /// It is no chunk, and the reply has not ended: a word may be missing now.
    pub(crate) fn take(&mut self, data: &str) -> Result<Option<String>, Failure> {
        let ended = self.finished;
        match self.read(data.trim()) {
            // The model has said all that it wanted to: what is garbled is the server's word about it.
            Err(Failure::Unreadable) if ended => Ok(None),
            taken => taken,
        }
    }

    fn read(&mut self, data: &str) -> Result<Option<String>, Failure> {
        if data == "[DONE]" {
            self.finished = true;
            return Ok(None);
        }
        if data.is_empty() {
            return Ok(None);
        }
        let chunk: Value = serde_json::from_str(data).map_err(|_| Failure::Unreadable)?;
        self.chunk(&chunk, "delta")
    }

    /// Takes a reply that came whole although a stream was asked for.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn take_whole(&mut self, body: &[u8]) -> Result<Option<String>, Failure> {
        let whole: Value =
            serde_json::from_str(&Utf8::default().next(body)).map_err(|_| Failure::Unreadable)?;
        self.finished = true;
        self.chunk(&whole, "message")
    }

    fn chunk(&mut self, chunk: &Value, part: &str) -> Result<Option<String>, Failure> {
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Failure::Unreadable);
        }
        if let (Some(prompt), Some(completion)) = (
            chunk["usage"]["prompt_tokens"].as_u64(),
            chunk["usage"]["completion_tokens"].as_u64(),
        ) {
            self.usage = Some(Usage { prompt, completion });
        }
        let choice = &chunk["choices"][0];
        // Some servers send an empty one with every chunk but the last.
        if let Some(reason) = choice["finish_reason"]
            .as_str()
            .filter(|reason| !reason.is_empty())
        {
            self.finished = true;
            self.cut = matches!(reason, "length" | "content_filter");
        }
        let delta = &choice[part];
        if let Some(calls) = delta["tool_calls"].as_array() {
            for (place, call) in calls.iter().enumerate() {
                self.call(place as u64, call)?;
            }
        }
        let text = text(&delta["content"]);
        self.spoke |= !text.is_empty();
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn call(&mut self, place: u64, delta: &Value) -> Result<(), Failure> {
        let function = &delta["function"];
        let name = function["name"].as_str().filter(|name| !name.is_empty());
        // Some servers send calls whole and without an index: each with a name is a new one then.
        let index = delta["index"].as_u64().unwrap_or_else(|| match name {
            Some(_) => self.calls.iter().map(|(index, _)| index + 1).max().unwrap_or(0),
            None => self.calls.last().map_or(place, |(index, _)| *index),
        });
        let id = delta["id"].as_str().filter(|id| !id.is_empty());
        let more = match &function["arguments"] {
            Value::String(piece) => !piece.trim().is_empty(),
            whole => !whole.is_null(),
        };
        // Some servers give the same index to all calls, others send the name or the id of one again with every piece. So a new call
        // has an id of its own beside its name or, where there are no ids, a name of its own or more than the known one can take.
        let another = |call: &RawCall| match (name, id) {
            (None, _) => false,
            (_, Some(id)) if !call.id.is_empty() => call.id != id,
            (Some(name), _) => {
                (!call.name.is_empty() && call.name != name) || (more && is_object(&call.arguments))
            }
        };
        // The last one with this index, where there are several.
        let known = self
            .calls
            .iter()
            .rposition(|(known, call)| *known == index && !another(call));
        let position = known.unwrap_or_else(|| {
            self.calls.push((index, RawCall::default()));
            self.calls.len() - 1
        });
        if self.calls.len() > MAX_CALLS {
            return Err(Failure::TooLong);
        }
        let call = &mut self.calls[position].1;
        if let Some(id) = id.filter(|_| call.id.is_empty()) {
            id.clone_into(&mut call.id);
        }
        if let Some(name) = name.filter(|_| call.name.is_empty()) {
            name.clone_into(&mut call.name);
        }
        match &function["arguments"] {
            Value::String(piece) => call.arguments.push_str(piece),
            Value::Null => {}
            whole => call.arguments = whole.to_string(),
        }
        if call.arguments.len() > MAX_ARGUMENTS {
            return Err(Failure::TooLong);
        }
        Ok(())
    }

    /// Whether the model has said that it is done.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// The reply, once its stream has ended.
    ///
    /// # Errors
    /// It ended in the middle, be it by the server's will, or there is nothing in it.
    pub(crate) fn finish(self) -> Result<Completion, Failure> {
        if !self.finished {
            return Err(Failure::Broken);
        }
        let mut calls = self.calls;
        calls.sort_by_key(|(index, _)| *index);
        let calls: Vec<RawCall> = calls
            .into_iter()
            .map(|(_, call)| call)
            .filter(|call| !call.name.is_empty())
            .collect();
        if calls.is_empty() && self.cut {
            return Err(Failure::Broken);
        }
        if calls.is_empty() && !self.spoke {
            return Err(Failure::Empty);
        }
        Ok(Completion {
            calls,
            usage: self.usage,
            spoke: self.spoke,
        })
    }
}

/// Whether these arguments are whole: behind an object nothing can follow.
fn is_object(arguments: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, Value>>(arguments).is_ok()
}

/// The text of a content, which some servers send in parts; parts of other types are thoughts, and not for visitors.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter(|part| part["type"] == "text");
            texts.filter_map(|part| part["text"].as_str()).collect()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembled(chunks: &[&str]) -> (String, Result<Completion, Failure>) {
        let mut assembly = Assembly::default();
        let mut text = String::new();
        for chunk in chunks {
            text.push_str(&assembly.take(chunk).unwrap().unwrap_or_default());
        }
        (text, assembly.finish())
    }

    #[test]
    fn calls_are_put_together_by_index_however_their_pieces_come() {
        let (text, completion) = assembled(&[
            r#"{"choices":[{"delta":{"role":"assistant","content":"One "}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"lookup","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"save_details","arguments":"{\"na"}}]}}]}"#,
            r#"{"choices":[{"delta":{"content":"moment.","tool_calls":[{"index":1,"function":{"arguments":"{}"}},{"index":0,"function":{"arguments":"me\":1}"}}]}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}],"usage":null}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#,
            "[DONE]",
        ]);
        let completion = completion.unwrap();
        assert_eq!(text, "One moment.");
        let calls: Vec<_> = completion
            .calls
            .iter()
            .map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
            .collect();
        assert_eq!(
            calls,
            [("a", "save_details", "{\"name\":1}"), ("b", "lookup", "{}")]
        );
        assert_eq!(
            completion.usage,
            Some(Usage {
                prompt: 7,
                completion: 3
            })
        );
    }

    #[test]
    fn calls_without_an_index_and_with_an_object_are_calls() {
        let (_, completion) = assembled(&[
            r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"a","arguments":{"x":1}}},{"function":{"name":"b","arguments":{}}}]}}]}"#,
            "[DONE]",
        ]);
        let calls = completion.unwrap().calls;
        assert_eq!((calls.len(), calls[0].arguments.as_str()), (2, "{\"x\":1}"));
    }

    /// The names and arguments that come of pieces which all have index 0.
    fn of_one_index(pieces: &[(&str, &str, &str)]) -> Vec<(String, String)> {
        let mut assembly = Assembly::default();
        for (id, name, arguments) in pieces {
            let function = serde_json::json!({"name": name, "arguments": arguments});
            let call = serde_json::json!({"index": 0, "id": id, "function": function});
            let chunk = serde_json::json!({"choices": [{"delta": {"tool_calls": [call]}}]});
            assembly.take(&chunk.to_string()).unwrap();
        }
        assembly.take("[DONE]").unwrap();
        let calls = assembly.finish().unwrap().calls;
        calls
            .into_iter()
            .map(|call| (call.name, call.arguments))
            .collect()
    }

    #[test]
    fn calls_that_share_an_index_are_told_apart_by_what_is_whole() {
        let calls = |calls: &[(&str, &str)]| {
            let own = calls
                .iter()
                .map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned()));
            own.collect::<Vec<_>>()
        };
        let two = calls(&[("a", "{}"), ("a", r#"{"x":1}"#)]);
        for pieces in [
            [("", "a", "{}"), ("", "a", r#"{"x":1}"#)],
            [("1", "a", "{}"), ("2", "a", r#"{"x":1}"#)],
        ] {
            assert_eq!(of_one_index(&pieces), two, "{pieces:?}");
        }
        // A call without arguments is whole where another name follows.
        assert_eq!(
            of_one_index(&[("", "a", ""), ("", "b", "{}")]),
            calls(&[("a", ""), ("b", "{}")])
        );
        // Servers that repeat the name, and the id, with every piece, be there anything in it or not.
        for id in ["", "1"] {
            let pieces = ["", r#"{"x":{"y""#, r#":"}"}"#, "}", "", "\n"].map(|piece| (id, "a", piece));
            assert_eq!(of_one_index(&pieces), calls(&[("a", "{\"x\":{\"y\":\"}\"}}\n")]));
        }
        // Or an id of its own with every piece, but the name once.
        assert_eq!(
            of_one_index(&[("1", "a", "{}"), ("2", "", "\n"), ("3", "", "")]),
            calls(&[("a", "{}\n")])
        );
    }

    #[test]
    fn what_nobody_knows_is_passed_over_and_what_is_broken_is_not() {
        let (text, completion) = assembled(&[
            "",
            r#"{"choices":[]}"#,
            r#"{"choices":[{}],"x":[1]}"#,
            r#"{"choices":[{"delta":{"content":null,"reasoning_content":"secret"}}]}"#,
            r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#,
        ]);
        assert_eq!((text.as_str(), completion.is_ok()), ("Hi", true));
        assert_eq!(
            assembled(&[r#"{"choices":[{"delta":{"content":"Hi"}}]}"#]).1,
            Err(Failure::Broken)
        );
        assert_eq!(assembled(&["[DONE]"]).1, Err(Failure::Empty));
        for broken in ["{", "oops", r#"{"error":{"message":"x"}}"#] {
            assert_eq!(Assembly::default().take(broken), Err(Failure::Unreadable));
        }
    }

    #[test]
    fn what_is_broken_behind_the_end_does_not_undo_the_reply() {
        let (text, completion) = assembled(&[
            r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#,
            "{",
            r#"{"error":{"message":"x"}}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#,
        ]);
        assert_eq!(text, "Hi");
        assert!(completion.unwrap().usage.is_some(), "what follows is still read");
        // An error beside the end is one.
        let both = r#"{"error":{"message":"x"},"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
        assert_eq!(Assembly::default().take(both), Err(Failure::Unreadable));
    }

    #[test]
    fn a_whole_reply_may_begin_with_a_byte_order_mark() {
        let body = "\u{feff}{\"choices\":[{\"message\":{\"content\":\"Hi\"}}]}";
        let text = Assembly::default().take_whole(body.as_bytes());
        assert_eq!(text, Ok(Some("Hi".to_owned())));
    }

    #[test]
    fn calls_are_bounded() {
        let mut assembly = Assembly::default();
        let call = |index: usize, arguments: &str| {
            serde_json::json!({"choices": [{"delta": {"tool_calls": [{"index": index, "function": {"name": "a", "arguments": arguments}}]}}]})
                .to_string()
        };
        for index in 0..MAX_CALLS {
            assembly.take(&call(index, "")).unwrap();
        }
        assert_eq!(assembly.take(&call(MAX_CALLS, "")), Err(Failure::TooLong));
        let long = "x".repeat(MAX_ARGUMENTS + 1);
        assert_eq!(Assembly::default().take(&call(0, &long)), Err(Failure::TooLong));
    }
}
