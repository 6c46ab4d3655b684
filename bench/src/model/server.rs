//! The server itself: two routes of the protocol, and one to look at what was asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::fault::Fault;
use super::record::{Recorded, Records};
use super::reply;
use super::script::Script;

/// The longest request that is read: a conversation with pictures, or a voice message.
const MAX_BODY: usize = 32 << 20;

/// A running fake server; it ends with the value.
#[derive(Debug)]
pub struct FakeModel {
    address: SocketAddr,
    records: Records,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    script: Arc<Script>,
    records: Records,
    /// How often a transcript was asked for.
    transcribed: Arc<AtomicUsize>,
}

impl FakeModel {
    /// Starts one on a free port of this machine.
    ///
    /// # Errors
    /// There is none.
    pub async fn start(script: impl Into<Script>) -> std::io::Result<Self> {
        Self::start_on(([127, 0, 0, 1], 0).into(), script.into()).await
    }

    /// Starts one at `address`.
    ///
    /// # Errors
    /// It is taken.
    pub async fn start_on(address: SocketAddr, script: Script) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let records = Records::default();
        let shared = Shared {
            script: Arc::new(script),
            records: records.clone(),
            transcribed: Arc::default(),
        };
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/audio/transcriptions", post(transcribe))
            .route("/requests", get(requests))
            .route("/files/{name}", get(super::files::file))
            .with_state(shared);
        // A token is to leave when it is written.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            records,
            task,
        })
    }

    /// What `LLM_BASE_URL` is to be.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.records.all()
    }

    /// Waits until a client has left before the end of its reply.
    pub async fn abandoned(&self) {
        let left = |all: &Vec<Recorded>| all.iter().any(|recorded| recorded.abandoned);
        self.records.until(left).await;
    }

    /// Waits until the server ends.
    pub async fn ended(&mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn requests(State(shared): State<Shared>) -> Json<Vec<Recorded>> {
    Json(shared.records.all())
}

async fn complete(State(shared): State<Shared>, request: Request) -> Response {
    let mut recorded = recorded(&request);
    let Ok(bytes) = axum::body::to_bytes(request.into_body(), MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Ok(body) = serde_json::from_slice::<Value>(&bytes) else {
        return (StatusCode::BAD_REQUEST, "not JSON").into_response();
    };
    recorded.body = body.clone();
    let number = shared.records.add(recorded);
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let Some(messages) = body["messages"].as_array() else {
        return (StatusCode::BAD_REQUEST, "no messages").into_response();
    };
    let answer = shared.script.answer(&model, messages);
    let streamed = body["stream"] == true && answer.fault != Some(Fault::NotStreamed);
    if let Some(refusal) = answer.fault.and_then(|fault| refusal(fault, &body)) {
        return refusal;
    }
    if streamed {
        let body = reply::streamed(model, answer, shared.records, number);
        return ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response();
    }
    Json(reply::whole(&model, &answer)).into_response()
}

/// What is answered instead of a reply to `body`, where the fault is that there is none.
fn refusal(fault: Fault, body: &Value) -> Option<Response> {
    let refusal = match fault {
        Fault::RateLimited | Fault::RateLimitedLong => {
            let error = json!({"error": {"message": "slow down", "type": "rate_limit_exceeded"}});
            let seconds = if fault == Fault::RateLimited { "1" } else { "3600" };
            (
                StatusCode::TOO_MANY_REQUESTS,
                [(header::RETRY_AFTER, seconds)],
                Json(error),
            )
                .into_response()
        }
        Fault::ErrorBody => {
            Json(json!({"error": {"message": "model is loading", "code": 503}})).into_response()
        }
        Fault::ServerError => {
            let page = format!("<h1>Internal error</h1>{body}");
            (StatusCode::INTERNAL_SERVER_ERROR, page).into_response()
        }
        Fault::Unauthorized => {
            let error = json!({"error": {"message": "Incorrect API key provided"}});
            (StatusCode::UNAUTHORIZED, Json(error)).into_response()
        }
        Fault::Html => (
            [(header::CONTENT_TYPE, "text/html")],
            "<html>Sign in to the hotel's network</html>",
        )
            .into_response(),
        _ => return None,
    };
    Some(refusal)
}

async fn transcribe(State(shared): State<Shared>, request: Request) -> Response {
    let mut recorded = recorded(&request);
    let Ok(bytes) = axum::body::to_bytes(request.into_body(), MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    recorded.body = json!({ "bytes": bytes.len() });
    shared.records.add(recorded);
    let before = shared.transcribed.fetch_add(1, Ordering::SeqCst);
    let fault = shared.script.transcript_faults.get(before).copied();
    fault
        .and_then(|fault| refusal(fault, &Value::Null))
        .unwrap_or_else(|| Json(json!({ "text": shared.script.transcript })).into_response())
}

fn recorded(request: &Request) -> Recorded {
    let authorization = request.headers().get(header::AUTHORIZATION);
    Recorded {
        path: request.uri().path().to_owned(),
        authorization: authorization
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body: Value::Null,
        first_token: None,
        abandoned: false,
    }
}
