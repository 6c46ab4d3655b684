//! The body of a message: read, and checked field by field.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use shared::envelope::IfBusy;
use shared::media::{Media, MediaKind};
use utoipa::ToSchema;

use crate::body;
use crate::error::Problem;

/// Bytes of a body at most.
pub const MAX_BODY: usize = 256 * 1024;
/// Bytes of `content` at most.
const MAX_CONTENT: usize = 64 * 1024;
/// Links of a message at most, of both kinds together.
const MAX_URLS: usize = 10;
/// Characters of a link at most.
const MAX_URL: usize = 2048;

/// What a visitor sends. Every field may be left out, but not all of them.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = ChatMessage, example = json!({"content": "Hello, I want to schedule an appointment", "media_urls": [], "audio_urls": []}))]
pub struct MessageBody {
    /// The text, up to 64 KiB of UTF-8 without NUL.
    #[serde(default)]
    pub content: String,
    /// Links (http or https, up to 2,048 characters) to pictures or documents; with `audio_urls`, up to ten.
    #[serde(default)]
    pub media_urls: Vec<String>,
    /// Links to voice notes.
    #[serde(default)]
    pub audio_urls: Vec<String>,
    /// What to do where a reply of this conversation still runs: `queue` (wait for it), `interrupt` (stop it, and everything that
    /// waits before this message), `reject` (409; of two messages at the same instant both may be accepted).
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(queue|interrupt|reject)$", default = "queue")]
    pub if_busy: IfBusy,
}

/// A message that may be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text; empty only where there is media.
    pub content: String,
    /// Attachments, in order.
    pub media: Vec<Media>,
    /// What to do where a reply still runs.
    pub if_busy: IfBusy,
}

impl Message {
    /// Reads and checks the body of a request.
    ///
    /// # Errors
    /// 400, 408, 413 or 415, naming the field.
    pub async fn receive(headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        if !is_json(headers) {
            let detail = "The body has to be JSON, with Content-Type: application/json.";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                detail,
            ));
        }
        Self::parse(&body::read(headers, body, MAX_BODY).await?)
    }

    /// Checks a body.
    ///
    /// # Errors
    /// 400, naming the field.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let body: Value = serde_json::from_slice(body).map_err(|error| {
            // serde's own sentence can quote what was written; the place cannot.
            let (line, column) = (error.line(), error.column());
            let detail = format!("The body is not JSON (line {line}, column {column}).");
            Problem::new(StatusCode::BAD_REQUEST, "invalid_json", detail)
        })?;
        let Value::Object(mut fields) = body else {
            return Err(wrong_type("body", "a JSON object"));
        };
        let content = match fields.remove("content") {
            None => String::new(),
            Some(Value::String(content)) => content,
            Some(_) => return Err(wrong_type("content", "a string")),
        };
        let mut media = Vec::new();
        for (field, kind) in [("media_urls", MediaKind::Media), ("audio_urls", MediaKind::Audio)] {
            for url in urls(field, fields.remove(field))? {
                media.push(Media::new(kind, url));
                if media.len() > MAX_URLS {
                    let detail = format!("A message carries up to {MAX_URLS} links.");
                    return Err(Problem::bad(field, "too_many_urls", detail));
                }
            }
        }
        let if_busy = match fields.remove("if_busy") {
            None => IfBusy::default(),
            Some(Value::String(wish)) => if_busy(&wish)?,
            Some(_) => return Err(wrong_type("if_busy", "a string")),
        };
        if content.contains('\0') {
            let detail = "The text must not contain NUL characters.";
            return Err(Problem::bad("content", "nul_character", detail));
        }
        if content.len() > MAX_CONTENT {
            let detail = "The text is longer than 64 KiB.";
            return Err(Problem::bad("content", "content_too_long", detail));
        }
        if media.is_empty() && content.trim().is_empty() {
            let detail = "A message needs text, or a link in media_urls or audio_urls.";
            return Err(Problem::bad("content", "empty_message", detail));
        }
        Ok(Self {
            content,
            media,
            if_busy,
        })
    }
}

fn if_busy(wish: &str) -> Result<IfBusy, Problem> {
    match wish {
        "queue" => Ok(IfBusy::Queue),
        "interrupt" => Ok(IfBusy::Interrupt),
        "reject" => Ok(IfBusy::Reject),
        _ => {
            let detail = "if_busy is queue, interrupt or reject.";
            Err(Problem::bad("if_busy", "bad_if_busy", detail))
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn urls(field: &str, value: Option<Value>) -> Result<Vec<String>, Problem> {
    let items = match value {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong_type(field, "an array of strings")),
    };
    let url = |(index, item)| {
        let field = format!("{field}[{index}]");
        match item {
            Value::String(url) => check_url(field, url),
            _ => Err(wrong_type(&field, "a string")),
        }
    };
    items.into_iter().enumerate().map(url).collect()
}

fn check_url(field: String, url: String) -> Result<String, Problem> {
    if url.contains('\0') {
        let detail = "A link must not contain NUL characters.";
        return Err(Problem::bad(field, "nul_character", detail));
    }
    if url.chars().count() > MAX_URL {
        let detail = format!("A link has up to {MAX_URL} characters.");
        return Err(Problem::bad(field, "url_too_long", detail));
    }
    let is_web = url.split_once("://").is_some_and(|(scheme, rest)| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")) && !host.is_empty()
    });
    if !is_web || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let detail = "A link begins with http:// or https:// and has no spaces.";
        return Err(Problem::bad(field, "bad_url", detail));
    }
    Ok(url)
}

fn wrong_type(field: &str, wanted: &str) -> Problem {
    Problem::bad(field, "wrong_type", format!("{field} has to be {wanted}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &Value) -> (String, String) {
        let problem = Message::parse(&serde_json::to_vec(body).unwrap()).unwrap_err();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST);
        (problem.field.clone().unwrap_or_default(), problem.code.clone())
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_name_of_the_field() {
        let url = "https://clinic.example/x.jpg";
        let long = format!("https://clinic.example/{}", "x".repeat(2048));
        for (body, field, code) in [
            (json!([]), "body", "wrong_type"),
            (json!({"content": 1}), "content", "wrong_type"),
            (json!({"content": null}), "content", "wrong_type"),
            (json!({}), "content", "empty_message"),
            (json!({"content": " \n\t"}), "content", "empty_message"),
            (json!({"content": "a\0b"}), "content", "nul_character"),
            (
                json!({"content": "x".repeat(65_537)}),
                "content",
                "content_too_long",
            ),
            (
                json!({"content": "x", "media_urls": url}),
                "media_urls",
                "wrong_type",
            ),
            (
                json!({"content": "x", "audio_urls": [1]}),
                "audio_urls[0]",
                "wrong_type",
            ),
            (
                json!({"media_urls": vec![url; 6], "audio_urls": vec![url; 5]}),
                "audio_urls",
                "too_many_urls",
            ),
            (
                json!({"media_urls": [url, "ftp://x/y"]}),
                "media_urls[1]",
                "bad_url",
            ),
            (
                json!({"media_urls": ["javascript:alert(1)"]}),
                "media_urls[0]",
                "bad_url",
            ),
            (json!({"media_urls": ["https://"]}), "media_urls[0]", "bad_url"),
            (
                json!({"media_urls": ["https://x/a b"]}),
                "media_urls[0]",
                "bad_url",
            ),
            (
                json!({"media_urls": ["https://x/\0"]}),
                "media_urls[0]",
                "nul_character",
            ),
            (json!({"media_urls": [long]}), "media_urls[0]", "url_too_long"),
        ] {
            assert_eq!(refused(&body), (field.into(), code.into()), "{body:.80}");
        }
    }

    #[test]
    fn a_body_that_is_not_json_is_refused_without_being_quoted() {
        for body in [
            "",
            "hello secret",
            "{\"content\": \"secret",
            "{\"content\": \"\u{1}secret\"}",
        ] {
            let problem = Message::parse(body.as_bytes()).unwrap_err();
            assert_eq!(problem.code, "invalid_json");
            assert!(!problem.detail.contains("secret"));
        }
    }

    #[test]
    fn a_message_keeps_its_text_and_the_order_of_its_media() {
        let body = json!({
            "content": " hi ", "audio_urls": ["HTTP://x/a.ogg"], "media_urls": ["https://x/é.jpg"], "unknown": {"a": 1},
        });
        let message = Message::parse(&serde_json::to_vec(&body).unwrap()).unwrap();
        assert_eq!(message.content, " hi ");
        assert_eq!(
            message.media,
            [
                Media::new(MediaKind::Media, "https://x/é.jpg"),
                Media::new(MediaKind::Audio, "HTTP://x/a.ogg")
            ]
        );
        let most = json!({"content": "x".repeat(65_536), "media_urls": vec!["http://x/"; 10]});
        assert_eq!(
            Message::parse(&serde_json::to_vec(&most).unwrap())
                .unwrap()
                .media
                .len(),
            10
        );
        let alone = json!({"media_urls": ["http://x/"]});
        assert!(Message::parse(&serde_json::to_vec(&alone).unwrap()).is_ok());
    }
}
