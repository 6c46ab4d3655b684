//! Files that a test's visitor links to, with the ways in which they can go wrong.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use futures_util::stream;

/// How a PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// One of them, by its name.
pub async fn file(Path(name): Path<String>) -> Response {
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
        "loop" => Redirect::temporary("/files/loop").into_response(),
        "to-a.png" => Redirect::temporary("/files/a.png").into_response(),
        "to-metadata" => Redirect::temporary("http://169.254.169.254/latest/").into_response(),
        "to-loopback" => Redirect::temporary("http://127.0.0.2/a.png").into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
