//! Files that a test's visitor links to, with the ways in which they can go wrong.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use futures_util::stream;

/// How a PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Before each piece of a file that trickles.
const TRICKLE: Duration = Duration::from_millis(20);

/// One of them, by its name.
pub async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let of = |kind: &'static str, body: Body| ([(header::CONTENT_TYPE, kind)], body).into_response();
    match name.as_str() {
        "a.png" => of("image/png", Body::from(PNG)),
        "lies.png" => of("image/png", Body::from("<html>")),
        "a.ogg" => of("audio/ogg; codecs=opus", Body::from("OggS")),
        "endless.png" => {
            let piece = Bytes::from(vec![0; 1 << 20]);
            let pieces = stream::repeat_with(move || Ok::<_, std::convert::Infallible>(piece.clone()));
            of("image/png", Body::from_stream(pieces))
        }
        // Never silent for long, and never at its end.
        "slow.png" => {
            let pieces = stream::unfold(Bytes::from_static(PNG), |piece| async {
                tokio::time::sleep(TRICKLE).await;
                Some((Ok::<_, std::convert::Infallible>(piece), Bytes::from_static(&[0])))
            });
            of("image/png", Body::from_stream(pieces))
        }
        "loop" => Redirect::temporary("/files/loop").into_response(),
        "to-a.png" => Redirect::temporary("/files/a.png").into_response(),
        "to-credentials" => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let host = host.unwrap_or_default();
            Redirect::temporary(&format!("http://user:pass@{host}/files/a.png")).into_response()
        }
        "to-disk" => Redirect::temporary("file:///etc/passwd").into_response(),
        "to-metadata" => Redirect::temporary("http://169.254.169.254/latest/").into_response(),
        "to-loopback" => Redirect::temporary("http://127.0.0.2/a.png").into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
