//! Reading a stream of Server-Sent Events, strictly.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use shared::event::{EventData, EventId};

use crate::PATIENCE;

/// One event with its raw lines.
#[derive(Clone, Debug)]
pub struct SseEvent {
    /// From the `id:` line.
    pub id: EventId,
    /// The `data:` line, as it came.
    pub raw: String,
    /// The same, read.
    pub data: EventData,
}

/// An open stream.
pub struct EventStream {
    bytes: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    /// The last `retry:` value.
    pub retry: Option<Duration>,
    /// Comment lines so far.
    pub comments: usize,
}

impl EventStream {
    /// Reads the body of `response`, which must be an event stream.
    ///
    /// # Errors
    /// It is something else.
    pub fn of(response: reqwest::Response) -> anyhow::Result<Self> {
        ensure!(response.status() == 200, "status {}", response.status());
        let content_type = response
            .headers()
            .get("content-type")
            .context("no content type")?
            .to_str()?;
        ensure!(content_type == "text/event-stream", "content type {content_type}");
        let bytes = response
            .bytes_stream()
            .map(|chunk| chunk.map(|bytes| bytes.to_vec()))
            .boxed();
        Ok(Self {
            bytes,
            buffer: Vec::new(),
            retry: None,
            comments: 0,
        })
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Errors
    /// The stream breaks, is not what it should be, or says nothing for too long.
    pub async fn next(&mut self) -> anyhow::Result<Option<SseEvent>> {
        loop {
            let Some(block) = self.block().await? else {
                return Ok(None);
            };
            let (mut id, mut raw) = (None, None);
            for line in block.lines().filter(|line| !line.is_empty()) {
                match line.split_once(':') {
                    Some(("", _)) => self.comments += 1,
                    Some(("retry", value)) => {
                        self.retry = Some(Duration::from_millis(value.trim().parse()?));
                    }
                    Some(("id", value)) => id = Some(value.trim().parse::<EventId>()?),
                    Some(("data", value)) => raw = Some(value.strip_prefix(' ').unwrap_or(value).to_owned()),
                    _ => bail!("an unexpected line: {line}"),
                }
            }
            match (id, raw) {
                (Some(id), Some(raw)) => {
                    let data = serde_json::from_str(&raw).with_context(|| raw.clone())?;
                    return Ok(Some(SseEvent { id, raw, data }));
                }
                (None, None) => {}
                _ => bail!("an event with only one of id and data: {block}"),
            }
        }
    }

    /// The lines up to the next blank one.
    async fn block(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let rest = self.buffer.split_off(end + 2);
                let block = std::mem::replace(&mut self.buffer, rest);
                return Ok(Some(String::from_utf8(block)?));
            }
            let chunk = tokio::time::timeout(PATIENCE, self.bytes.next())
                .await
                .context("the stream is silent")?;
            match chunk {
                Some(chunk) => self.buffer.extend(chunk?),
                None if self.buffer.is_empty() => return Ok(None),
                None => bail!("the stream ended within an event"),
            }
        }
    }

    /// All events up to the end, of which the final one must be the last and the only one of its kind.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn all(mut self) -> anyhow::Result<Vec<SseEvent>> {
        let mut events: Vec<SseEvent> = Vec::new();
        while let Some(event) = self.next().await? {
            ensure!(
                !events.last().is_some_and(|last| last.data.is_final),
                "an event after the final one"
            );
            events.push(event);
        }
        ensure!(
            events.last().is_some_and(|last| last.data.is_final),
            "no final event in {} events",
            events.len()
        );
        Ok(events)
    }
}

/// The text that a client assembles.
pub fn text(events: &[SseEvent]) -> String {
    let begins = |event: &SseEvent| event.data.extra.reset;
    let anew = events.iter().rposition(begins).unwrap_or(0);
    events[anew..]
        .iter()
        .map(|event| event.data.content.as_str())
        .collect()
}

/// Fails unless `seq` counts up by one from `first`, all for one request.
///
/// # Panics
/// It does not.
pub fn assert_gapless(events: &[SseEvent], first: u64) {
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.id.request, events[0].id.request);
        assert_eq!(event.id.seq, first + index as u64, "seq has a gap or a repeat");
    }
}
