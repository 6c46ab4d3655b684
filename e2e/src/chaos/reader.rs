//! The reference client: it behaves as a careful page in a browser does.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use shared::event::EventId;
use shared::ids::RequestId;
use tokio_util::sync::CancellationToken;

use super::heard::Heard;
use crate::client::Visitor;
use crate::sse::EventStream;

/// Until the next try after a broken connection; a browser waits a second, which would only make runs longer.
const RETRY: Duration = Duration::from_millis(200);

/// What `Retry-After` may ask for at most, so that a run ends.
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// Nothing at all comes for this long, not even a comment: the connection is dead, whatever TCP says.
const SILENCE: Duration = Duration::from_secs(20);

/// What follows an answer to a GET.
enum Answer {
    Stream(EventStream),
    Over,
    Again(Duration),
}

/// Someone who writes through whichever api answers.
#[derive(Debug)]
pub struct Reader {
    /// Who.
    pub visitor: Visitor,
    /// The apis.
    pub bases: Vec<String>,
    /// What it leaves to chance.
    pub rng: StdRng,
    /// The run is about to end: what has not been accepted may be given up.
    pub quit: CancellationToken,
}

impl Reader {
    /// Sends a message until it is accepted, and reads its reply to the end. Fills `heard` as it goes, so that whoever loses
    /// patience has what there was.
    pub async fn ask(&mut self, heard: &mut Heard) {
        let Some(mut stream) = self.post(heard).await else {
            return;
        };
        loop {
            let ended = self.listen(&mut stream, heard).await;
            if heard.last.is_some() {
                return;
            }
            if ended {
                tokio::time::sleep(RETRY).await;
            }
            let next = loop {
                heard.reconnects += 1;
                // Who has seen nothing may as well send the message again: it is the same request.
                let repeated = heard.seq() == 0 && self.rng.random();
                let answer = if repeated {
                    self.post(heard).await.map_or(Answer::Over, Answer::Stream)
                } else {
                    self.resume(heard).await
                };
                match answer {
                    Answer::Stream(stream) => break Some(stream),
                    Answer::Over => break None,
                    Answer::Again(wait) => tokio::time::sleep(wait).await,
                }
            };
            match next {
                Some(next) => stream = next,
                None => {
                    heard.breach(format!(
                        "nothing more to show after event {}, which is not the final one",
                        heard.seq()
                    ));
                    return;
                }
            }
        }
    }

    /// Posts until it is accepted; `None` where the run ends before.
    async fn post(&mut self, heard: &mut Heard) -> Option<EventStream> {
        loop {
            if self.quit.is_cancelled() && heard.accepted.is_none() {
                return None;
            }
            heard.posted.get_or_insert_with(tokio::time::Instant::now);
            heard.posts += 1;
            let request = self
                .anywhere()
                .request(Method::POST, "/chat/stream")
                .header("Idempotency-Key", &heard.key)
                .json(&json!({ "content": heard.content }));
            let wait = match tokio::time::timeout(SILENCE, request.send()).await {
                Ok(Ok(response)) => match self.read(response, heard).await {
                    Answer::Stream(stream) => {
                        heard.accept();
                        return Some(stream);
                    }
                    Answer::Over => RETRY,
                    Answer::Again(wait) => wait,
                },
                _ => RETRY,
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Asks for a reply to be stopped, until an api says what becomes of it; `None` where nobody knows the message, since it
    /// was not accepted.
    pub async fn stop(&mut self, request: RequestId) -> Option<String> {
        loop {
            let path = format!("/chat/stop?request_id={request}");
            let asked = self.anywhere().request(Method::POST, &path);
            if let Ok(Ok(response)) = tokio::time::timeout(SILENCE, asked.send()).await {
                match response.status() {
                    StatusCode::OK => {
                        let body: Option<Value> = response.json().await.ok();
                        return body.and_then(|body| Some(body["status"].as_str()?.to_owned()));
                    }
                    StatusCode::NOT_FOUND => return None,
                    _ => {}
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// What an `EventSource` does after a break.
    async fn resume(&mut self, heard: &mut Heard) -> Answer {
        let last = EventId {
            request: heard.request,
            seq: heard.seq(),
        };
        let visitor = self.anywhere();
        match tokio::time::timeout(SILENCE, visitor.listen(Some(last))).await {
            Ok(Ok(response)) => self.read(response, heard).await,
            _ => Answer::Again(RETRY),
        }
    }

    async fn read(&self, response: Response, heard: &mut Heard) -> Answer {
        let status = response.status();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        match (status, retry_after) {
            (StatusCode::OK, _) => match EventStream::of(response) {
                Ok(stream) => return Answer::Stream(stream),
                Err(error) => heard.breach(format!("not a stream: {error:#}")),
            },
            (StatusCode::NO_CONTENT, _) => return Answer::Over,
            (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, Some(seconds)) => {
                return Answer::Again(Duration::from_secs(seconds).min(LONGEST_RETRY));
            }
            _ => {
                let body = response.text().await.unwrap_or_default();
                heard.breach(format!("{status} with Retry-After {retry_after:?}: {body}"));
            }
        }
        Answer::Again(RETRY)
    }

    /// Reads until the stream ends (true) or breaks (false).
    async fn listen(&mut self, stream: &mut EventStream, heard: &mut Heard) -> bool {
        loop {
            match tokio::time::timeout(SILENCE, stream.next()).await {
                Ok(Ok(Some(event))) => heard.take(event),
                Ok(Ok(None)) => return true,
                Ok(Err(_)) | Err(_) => return false,
            }
        }
    }

    /// The same visitor at any api.
    pub fn anywhere(&mut self) -> Visitor {
        let base = self.rng.random_range(0..self.bases.len());
        self.visitor.at(&self.bases[base])
    }
}
