//! The streaming client of one server: one request, its events, its deadlines. Dropping a [`Running`] closes the connection,
//! which is how a model is told to stop.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use bytes::Bytes;
use eventsource_stream::{EventStream, EventStreamError};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode, redirect};
use tokio::time::timeout;

use super::assembly::{Assembly, Completion};
use super::config::Settings;
use super::failure::Failure;
use super::utf8::Utf8;
use super::wire::Body;

/// The most bytes that are read of one reply: some thirty thousand chunks, most of which may be thoughts that nobody hears.
const MAX_BYTES: usize = 8 << 20;

/// The most bytes that one line of a stream may have: many times a whole call of a tool. Each new piece of a line is read together
/// with all before it, so this is also what keeps the work in bounds.
const MAX_LINE: usize = 256 << 10;

/// How long the usage and the end of the stream may take once the reply is whole; nobody needs to wait for them.
const LAST_CHUNKS: Duration = Duration::from_secs(1);

/// Behind the last byte of a stream: a last event without the blank line that it should end with is an event all the same.
const END: &str = "\n\n";

/// A client of one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(super) http: reqwest::Client,
    settings: Settings,
}

impl Client {
    /// A client with these settings.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub(crate) fn new(settings: Settings) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(crate::USER_AGENT)
            .connect_timeout(settings.connect_deadline)
            // No total deadline: a reply takes as long as it takes, but silence ends it.
            .read_timeout(settings.read_deadline)
            // A redirect would carry the conversation to where nobody has sent it.
            .redirect(redirect::Policy::none())
            .build()
            .context("the client for the language model")?;
        Ok(Self { http, settings })
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends a request, and returns when the head of the answer is there.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn start(&self, body: &Body<'_>) -> Result<Running, Failure> {
        let deadline = self.settings.read_deadline;
        let sent = self
            .http
            .post(self.settings.endpoint.clone())
            .header(AUTHORIZATION, self.settings.authorization.clone())
            .json(body)
            .send();
        let connecting = self.settings.connect_deadline + deadline;
        let response = timeout(connecting, sent)
            .await
            .map_err(|_| Failure::Silent)?
            .map_err(|error| match error {
                error if error.is_connect() => Failure::Unreachable,
                error if error.is_timeout() => Failure::Silent,
                _ => Failure::Broken,
            })?;
        refused(&response)?;
        let kind = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        if kind.starts_with("application/json") {
            return whole(response, deadline).await;
        }
        // Some servers name no type.
        if !kind.is_empty() && !kind.starts_with("text/event-stream") {
            return Err(Failure::Unreadable);
        }
        Ok(Running {
            events: events(response),
            assembly: Assembly::default(),
            ready: None,
            deadline,
        })
    }
}

/// Nothing, where the answer is no refusal.
pub(super) fn refused(response: &Response) -> Result<(), Failure> {
    if response.status() == StatusCode::OK {
        return Ok(());
    }
    Err(Failure::Status(
        response.status().as_u16(),
        retry_after(response.headers()),
    ))
}

/// A reply that is being read.
pub(crate) struct Running {
    events: BoxStream<'static, Result<String, Failure>>,
    assembly: Assembly,
    /// Text that was read ahead.
    ready: Option<String>,
    deadline: Duration,
}

impl Running {
    /// The next piece of text; `None` once the reply is whole.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Failure> {
        if let Some(text) = self.ready.take() {
            return Ok(Some(text));
        }
        loop {
            // Comments keep a connection alive, and nobody waits for a comment: the deadline counts from event to event.
            let patience = if self.assembly.is_finished() {
                LAST_CHUNKS
            } else {
                self.deadline
            };
            let event = timeout(patience, self.events.next()).await;
            match event {
                // Once it is whole, a reply need not end well: what is missing then is the usage.
                Err(_) | Ok(Some(Err(_)) | None) if self.assembly.is_finished() => return Ok(None),
                Err(_) => return Err(Failure::Silent),
                Ok(Some(Err(failure))) => return Err(failure),
                Ok(None) => return Err(Failure::Broken),
                Ok(Some(Ok(data))) if data.trim() == "[DONE]" => {
                    self.assembly.take(&data)?;
                    return Ok(None);
                }
                Ok(Some(Ok(data))) => {
                    if let Some(text) = self.assembly.take(&data)? {
                        return Ok(Some(text));
                    }
                }
            }
        }
    }

    /// Reads until there is text or the end, so that what fails before the first word can be asked again.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn until_it_speaks(mut self) -> Result<Started, Failure> {
        match self.next().await? {
            Some(text) => {
                self.ready = Some(text);
                Ok(Started::Speaking(self))
            }
            None => Ok(Started::Silent(self.finish()?)),
        }
    }

    /// The whole reply, after the last piece.
    ///
    /// # Errors
    /// There is nothing in it.
    pub(crate) fn finish(self) -> Result<Completion, Failure> {
        self.assembly.finish()
    }
}

/// A reply that has begun.
pub(crate) enum Started {
    /// With text.
    Speaking(Running),
    /// With calls alone.
    Silent(Completion),
}

async fn whole(response: Response, deadline: Duration) -> Result<Running, Failure> {
    let body = body_of(response).await?;
    let mut assembly = Assembly::default();
    let ready = assembly.take_whole(&body)?;
    Ok(Running {
        events: stream::empty().boxed(),
        assembly,
        ready,
        deadline,
    })
}

/// The whole of an answer.
pub(super) async fn body_of(response: Response) -> Result<Vec<u8>, Failure> {
    capped(response, Caps::of_a_body())
        .try_fold(Vec::new(), async |mut body, bytes| {
            body.extend_from_slice(&bytes);
            Ok(body)
        })
        .await
}

/// The data of each event.
fn events(response: Response) -> BoxStream<'static, Result<String, Failure>> {
    let end = stream::once(std::future::ready(Ok(Bytes::from_static(END.as_bytes()))));
    let mut utf8 = Utf8::default();
    let text = capped(response, Caps::of_lines())
        .chain(end)
        .map_ok(move |bytes| utf8.next(&bytes));
    EventStream::new(text)
        .map(|event| match event {
            Ok(event) => Ok(event.data),
            Err(EventStreamError::Transport(failure)) => Err(failure),
            Err(EventStreamError::Utf8(_) | EventStreamError::Parser(_)) => Err(Failure::Unreadable),
        })
        .boxed()
}

/// How much of an answer is read.
struct Caps {
    read: usize,
    line: usize,
    max_line: usize,
}

impl Caps {
    fn of_lines() -> Self {
        Self {
            read: 0,
            line: 0,
            max_line: MAX_LINE,
        }
    }

    fn of_a_body() -> Self {
        Self {
            max_line: MAX_BYTES,
            ..Self::of_lines()
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.read += bytes.len();
        self.line = match bytes.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(end) => bytes.len() - end - 1,
            None => self.line + bytes.len(),
        };
        match () {
            () if self.read > MAX_BYTES => Err(Failure::TooLong),
            () if self.line > self.max_line => Err(Failure::Unreadable),
            () => Ok(()),
        }
    }
}

fn capped(response: Response, mut caps: Caps) -> BoxStream<'static, Result<Bytes, Failure>> {
    response
        .bytes_stream()
        .map(move |bytes| {
            let bytes = bytes.map_err(|error| match error {
                error if error.is_timeout() => Failure::Silent,
                _ => Failure::Broken,
            })?;
            caps.take(&bytes)?;
            Ok(bytes)
        })
        .boxed()
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let at = time::PrimitiveDateTime::parse(value, &format).ok()?.assume_utc();
    SystemTime::from(at).duration_since(SystemTime::now()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_replies_are_bounded() {
        let piece = [b'x'; 64 << 10];
        let taken = |caps: &mut Caps, piece: &[u8]| (0..).take_while(|_| caps.take(piece).is_ok()).count();
        assert_eq!(taken(&mut Caps::of_lines(), &piece), MAX_LINE / piece.len());
        assert_eq!(taken(&mut Caps::of_a_body(), &piece), MAX_BYTES / piece.len());
        let mut lines = piece;
        lines[7] = b'\n';
        assert_eq!(taken(&mut Caps::of_lines(), &lines), MAX_BYTES / piece.len());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(read("2"), Some(Duration::from_secs(2)));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), None, "it has passed");
        assert!(read("Wed, 21 Oct 2199 07:28:00 GMT").is_some());
    }
}
