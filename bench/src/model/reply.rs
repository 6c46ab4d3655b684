//! Writing one answer as a stream of chunks, the way real servers do, or with a fault.

use std::io;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::fault::Fault;
use super::record::Records;
use super::script::{Answer, Call};

/// What a model thinks, which nobody is to read.
const THOUGHTS: &str = "<think>\nThe visitor must never see this, 1 < 2.\n</think>\n\n";

/// How many chunks come before a fault that is in the middle.
const BEFORE_A_FAULT: usize = 3;
/// Arguments of tool calls come in pieces of so many characters.
const ARGUMENT_PIECE: usize = 7;
/// Pieces of a body that is cut within characters, in bytes.
const CUT: usize = 5;

/// The whole answer as one JSON object.
pub fn whole(model: &str, answer: &Answer) -> Value {
    let calls: Vec<Value> = answer
        .calls
        .iter()
        .enumerate()
        .map(|(index, call)| {
            json!({"id": format!("call_{index}"), "type": "function",
                "function": {"name": call.name, "arguments": arguments(call)}})
        })
        .collect();
    let mut message = json!({"role": "assistant", "content": answer.text});
    if !calls.is_empty() {
        message["tool_calls"] = Value::Array(calls);
    }
    json!({
        "id": "chatcmpl-fake", "object": "chat.completion", "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish(answer)}],
        "usage": usage(answer),
    })
}

/// The answer as a stream; the request is `number` in `records`.
pub fn streamed(model: String, answer: Answer, records: Records, number: usize) -> Body {
    let (chunks, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut writer = Writer {
            chunks,
            answer,
            model,
            records,
            number,
        };
        if writer.write().await.is_err() {
            writer
                .records
                .change(number, |recorded| recorded.abandoned = true);
        }
    });
    Body::from_stream(stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    }))
}

/// The client has left.
struct Gone;

struct Writer {
    chunks: mpsc::Sender<io::Result<Bytes>>,
    answer: Answer,
    model: String,
    records: Records,
    number: usize,
}

impl Writer {
    async fn write(&mut self) -> Result<(), Gone> {
        let fault = self.answer.fault.unwrap_or(Fault::None);
        match fault {
            Fault::StallAtOnce => return self.stall().await,
            Fault::DisconnectAtOnce => return self.disconnect().await,
            Fault::Empty => return self.raw("data: [DONE]\n\n").await,
            Fault::Flood => return self.flood().await,
            // In pieces, as everything may come.
            Fault::Bom => {
                self.bytes(Bytes::from_static(b"\xef\xbb")).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
                self.bytes(Bytes::from_static(b"\xbf")).await?;
            }
            _ => {}
        }
        self.delta(json!({"role": "assistant", "content": ""})).await?;
        if fault == Fault::Thinks {
            for piece in pieces(THOUGHTS) {
                self.delta(json!({ "content": piece })).await?;
            }
        }
        let text = match fault {
            Fault::Nul => self.answer.text.replace(' ', "\0 \u{8}\u{1b}[31m"),
            _ => self.answer.text.clone(),
        };
        for (written, token) in tokens(&text).into_iter().enumerate() {
            self.pause().await?;
            if fault == Fault::BrokenJson && written == 1 {
                self.raw("data: {\"choices\":[{\"delta\":{\"content\":\"oo\n\n")
                    .await?;
            }
            if fault == Fault::BadUtf8 && written == 1 {
                self.bytes(Bytes::from_static(
                    b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n",
                ))
                .await?;
            }
            if written == BEFORE_A_FAULT {
                match fault {
                    Fault::Stall => return self.stall().await,
                    Fault::Disconnect | Fault::EmptyReasons => return self.disconnect().await,
                    Fault::ErrorChunk => {
                        self.raw("data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n")
                            .await?;
                        return Ok(());
                    }
                    Fault::CutShort => return self.end(fault).await,
                    _ => {}
                }
            }
            if fault == Fault::EmptyChoices {
                self.raw("data: {\"choices\":[]}\n\ndata: {\"choices\":[{\"index\":0}]}\n\n")
                    .await?;
                self.delta(json!({"content": null})).await?;
            }
            if written == 0 {
                let now = Instant::now();
                self.records
                    .change(self.number, |recorded| recorded.first_token = Some(now));
            }
            let content = match fault {
                Fault::Parts => {
                    json!([{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHTS}]},
                    {"type": "text", "text": token}])
                }
                _ => json!(token),
            };
            self.delta(json!({ "content": content })).await?;
        }
        if fault == Fault::Endless {
            loop {
                tokio::time::sleep(Duration::from_micros(200)).await;
                self.delta(json!({"content": " and so on, and so on, and so on, and so on,"}))
                    .await?;
            }
        }
        self.calls(fault).await?;
        self.end(fault).await
    }

    async fn calls(&mut self, fault: Fault) -> Result<(), Gone> {
        let calls = self.answer.calls.clone();
        if fault == Fault::WholeCalls {
            let whole: Vec<Value> = calls
                .iter()
                .map(|call| json!({"function": {"name": call.name, "arguments": call.arguments}}))
                .collect();
            return self.delta(json!({ "tool_calls": whole })).await;
        }
        if matches!(fault, Fault::SameIndex | Fault::SameIndexNoIds) {
            for (number, call) in calls.iter().enumerate() {
                let mut call = json!({"index": 0, "id": format!("call_{number}"), "type": "function",
                    "function": {"name": call.name, "arguments": arguments(call)}});
                if fault == Fault::SameIndexNoIds {
                    call["id"] = json!("");
                }
                self.delta(json!({ "tool_calls": [call] })).await?;
            }
            return Ok(());
        }
        for (index, call) in calls.iter().enumerate() {
            let head = json!({"index": index, "id": format!("call_{}_{index}", self.number), "type": "function",
                "function": {"name": call.name, "arguments": ""}});
            self.delta(json!({ "tool_calls": [head] })).await?;
        }
        // The pieces of all calls, in turns.
        let mut pieces: Vec<Vec<String>> = calls.iter().map(|call| pieces(&arguments(call))).collect();
        while pieces.iter().any(|pieces| !pieces.is_empty()) {
            for (index, pieces) in pieces.iter_mut().enumerate() {
                if pieces.is_empty() {
                    continue;
                }
                self.pause().await?;
                let piece = json!({"index": index, "function": {"arguments": pieces.remove(0)}});
                self.delta(json!({ "tool_calls": [piece] })).await?;
            }
        }
        Ok(())
    }

    async fn end(&mut self, fault: Fault) -> Result<(), Gone> {
        let mut last = json!({"id": "chatcmpl-fake", "model": self.model,
            "choices": [{"index": 0, "delta": {}, "finish_reason": finish(&self.answer)}]});
        if fault == Fault::CutShort {
            last["choices"][0]["finish_reason"] = json!("length");
        }
        if fault == Fault::NoDone {
            return self.raw(&format!("data: {last}")).await;
        }
        self.raw(&format!("data: {last}\n\n")).await?;
        if fault == Fault::ErrorAtTheEnd {
            self.raw("data: {\"error\":{\"message\":\"no usage\",\"code\":500}}\n\ndata: oops\n\n")
                .await?;
        }
        if fault != Fault::NoUsage {
            last["choices"] = json!([]);
            last["usage"] = usage(&self.answer);
            self.raw(&format!("data: {last}\n\n")).await?;
        }
        self.raw("data: [DONE]\n\n").await
    }

    /// Before each token.
    async fn pause(&self) -> Result<(), Gone> {
        let may_go_on = async {
            if self.answer.pace_ms > 0 {
                tokio::time::sleep(Duration::from_millis(self.answer.pace_ms)).await;
            }
            if let Some(gate) = &self.answer.gate {
                gate.pass().await;
            }
        };
        tokio::select! {
            biased;
            () = may_go_on => Ok(()),
            () = self.chunks.closed() => Err(Gone),
        }
    }

    async fn delta(&mut self, mut delta: Value) -> Result<(), Gone> {
        let mut chunk =
            json!({"id": "chatcmpl-fake", "object": "chat.completion.chunk", "model": self.model});
        let mut comment = "";
        if self.answer.fault == Some(Fault::UnknownFields) {
            delta["reasoning_content"] = json!("The visitor must never see this.");
            delta["refusal"] = Value::Null;
            chunk["x_groq"] = json!({"id": [1, {"deep": true}]});
            comment = ": OPENROUTER PROCESSING\n\nevent: ping\ndata:\n\n";
        }
        let reason = match self.answer.fault {
            Some(Fault::EmptyReasons) => json!(""),
            _ => Value::Null,
        };
        chunk["choices"] = json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]);
        self.raw(&format!("{comment}data: {chunk}\n\n")).await
    }

    async fn raw(&mut self, text: &str) -> Result<(), Gone> {
        if self.answer.fault == Some(Fault::Crlf) {
            let text = text
                .replace("data: ", "data:")
                .replace(",\"object\"", ",\ndata:\"object\"");
            return self.bytes(Bytes::from(text.replace('\n', "\r\n"))).await;
        }
        if self.answer.fault != Some(Fault::SplitUtf8) {
            return self.bytes(Bytes::copy_from_slice(text.as_bytes())).await;
        }
        for piece in text.as_bytes().chunks(CUT) {
            self.bytes(Bytes::copy_from_slice(piece)).await?;
            // So that the pieces are read one by one.
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        Ok(())
    }

    async fn bytes(&mut self, bytes: Bytes) -> Result<(), Gone> {
        self.chunks.send(Ok(bytes)).await.map_err(|_| Gone)
    }

    async fn flood(&mut self) -> Result<(), Gone> {
        self.raw("data: {\"choices\":[{\"delta\":{\"content\":\"").await?;
        loop {
            self.bytes(Bytes::from_static(&[b'x'; 8 << 10])).await?;
        }
    }

    async fn stall(&mut self) -> Result<(), Gone> {
        self.chunks.closed().await;
        Err(Gone)
    }

    async fn disconnect(&mut self) -> Result<(), Gone> {
        // What was written before is to arrive before the end.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = self.chunks.send(Err(io::ErrorKind::ConnectionReset.into())).await;
        Ok(())
    }
}

/// Words with the white space before them, as tokenizers cut.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for character in text.chars() {
        let begins = character.is_whitespace();
        match tokens.last_mut() {
            Some(last) if !begins || last.ends_with(char::is_whitespace) => last.push(character),
            _ => tokens.push(character.to_string()),
        }
    }
    tokens
}

fn pieces(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters
        .chunks(ARGUMENT_PIECE)
        .map(|piece| piece.iter().collect())
        .collect()
}

fn arguments(call: &Call) -> String {
    match &call.arguments {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn finish(answer: &Answer) -> &'static str {
    if answer.calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    }
}

fn usage(answer: &Answer) -> Value {
    let completion = tokens(&answer.text).len();
    json!({"prompt_tokens": 100, "completion_tokens": completion, "total_tokens": 100 + completion})
}
