//! What is said in a voice message, by the model of a server that writes it down.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;
use shared::retry::Policy;
use tokio::time::timeout;
use uuid::Uuid;

use super::client::{Client, body_of, refused};
use super::failure::Failure;
use super::utf8::Utf8;

/// Tries after the first one.
const MORE_TRIES: usize = 2;
/// The waits before them.
const WAITS: Policy = Policy {
    first: Duration::from_millis(250),
    longest: Duration::from_secs(2),
    give_up_after: None,
};

impl Client {
    /// What is said in a sound file of type `kind`. Another try is made only where it may go better, and the read deadline is for all
    /// of them together.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn transcribe(&self, model: &str, kind: &str, sound: &[u8]) -> Result<String, Failure> {
        let form = Form::new(model, kind, sound);
        let (deadline, began) = (self.settings().read_deadline, Instant::now());
        let tries = async {
            let mut waits = WAITS.waits().take(MORE_TRIES);
            loop {
                let failure = match self.try_to_transcribe(&form).await {
                    Ok(text) => return Ok(text),
                    Err(failure) => failure,
                };
                let left = deadline.saturating_sub(began.elapsed());
                let Some(wait) = waits.next().and_then(|wait| failure.pause(wait, left)) else {
                    return Err(failure);
                };
                tokio::time::sleep(wait).await;
            }
        };
        timeout(deadline, tries).await.map_err(|_| Failure::Silent)?
    }

    async fn try_to_transcribe(&self, form: &Form) -> Result<String, Failure> {
        let settings = self.settings();
        let sent = self
            .http
            .post(settings.transcriptions.clone())
            .header(AUTHORIZATION, settings.authorization.clone())
            .header(CONTENT_TYPE, &form.kind)
            .body(form.body.clone())
            .send();
        let response = sent.await.map_err(|_| Failure::Unreachable)?;
        refused(&response)?;
        transcript(&body_of(response).await?).ok_or(Failure::Unreadable)
    }
}

/// What is sent, in each try the same.
struct Form {
    kind: String,
    body: Bytes,
}

impl Form {
    fn new(model: &str, kind: &str, sound: &[u8]) -> Self {
        let boundary = Uuid::now_v7().simple();
        // A stranger's server has named the type: nothing of it but letters and digits may stand in quotes.
        let name: String = kind
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--{boundary}\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"voice.{name}\"\r\nContent-Type: {kind}\r\n\r\n"
        );
        let end = format!("\r\n--{boundary}--\r\n");
        Self {
            kind: format!("multipart/form-data; boundary={boundary}"),
            body: [head.as_bytes(), sound, end.as_bytes()].concat().into(),
        }
    }
}

/// The text in a server's answer.
fn transcript(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_str(&Utf8::default().next(body)).ok()?;
    answer["text"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use bench::model::{FakeModel, Fault, Script};
    use clap::Parser;

    use super::*;
    use crate::llm::config::LlmArgs;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: LlmArgs,
    }

    /// What comes of a voice message where these faults come first, and how often the server is asked.
    async fn transcribed(faults: &[Fault], deadline: &str) -> (Result<String, Failure>, usize) {
        shared::tls::install();
        let script = Script {
            transcript: "hello".into(),
            transcript_faults: faults.to_vec(),
            ..Script::default()
        };
        let server = FakeModel::start(script).await.unwrap();
        let base = server.base_url();
        let args = Command::parse_from([
            "worker",
            "--llm-base-url",
            &base,
            "--llm-api-key",
            "k",
            "--llm-model",
            "m",
            "--llm-read-deadline",
            deadline,
        ]);
        let client = Client::new(args.args.settings().unwrap().unwrap()).unwrap();
        let text = client.transcribe("whisper", "audio/ogg", b"OggS").await;
        (text, server.requests().len())
    }

    #[tokio::test]
    async fn a_server_that_is_busy_is_asked_again_when_it_wants_to_be() {
        let began = Instant::now();
        let (text, asked) = transcribed(&[Fault::RateLimited], "1h").await;
        assert_eq!((text.as_deref(), asked), (Ok("hello"), 2));
        assert!(
            began.elapsed() >= Duration::from_secs(1),
            "it has asked for a second"
        );
        let (text, asked) = transcribed(&[Fault::ServerError, Fault::ErrorBody], "1h").await;
        assert_eq!((text.as_deref(), asked), (Ok("hello"), 3));
    }

    #[tokio::test]
    async fn what_will_not_go_better_or_not_in_time_is_given_up() {
        for (faults, deadline, expected) in [
            (&[Fault::ServerError; 3][..], "1h", 3),
            (&[Fault::Unauthorized], "1h", 1),
            (&[Fault::RateLimitedLong], "30m", 1),
        ] {
            let (text, asked) = transcribed(faults, deadline).await;
            assert!(matches!(text, Err(Failure::Status(..))), "{faults:?}: {text:?}");
            assert_eq!(asked, expected, "{faults:?}");
        }
    }
}
