//! The other side: a clinic's webhook, and its client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// A clinic that takes webhooks, after it has refused some.
#[derive(Clone, Default)]
pub struct Clinic {
    pub bodies: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
    refuses: Arc<AtomicUsize>,
}

impl Clinic {
    pub async fn start(refuses: usize) -> (Self, String) {
        let clinic = Self {
            refuses: Arc::new(AtomicUsize::new(refuses)),
            ..Self::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(clinic.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (clinic, url)
    }

    pub async fn jsons(&self) -> Vec<Value> {
        let bodies = self.bodies.lock().await;
        bodies
            .iter()
            .map(|(_, _, body)| serde_json::from_slice(body).unwrap())
            .collect()
    }
}

async fn take(State(clinic): State<Clinic>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let refuse = |left: usize| left.checked_sub(1);
    if clinic
        .refuses
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse)
        .is_ok()
    {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    clinic.bodies.lock().await.push((uri.to_string(), headers, body));
    StatusCode::OK
}

pub fn client() -> reqwest::Client {
    shared::tls::install();
    reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}
