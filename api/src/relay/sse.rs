//! The wire format of a stream: `text/event-stream`, with the journal's bytes as they are.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::unfold;
use shared::event::TokenEvent;
use shared::ids::RequestId;

use super::counted::Counted;
use super::follow::{End, Output};
use crate::identity::REQUEST_HEADER;

/// How often a comment keeps proxies from thinking that nobody is there.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);

/// The comment.
const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// How long an `EventSource` waits before it comes back, in milliseconds.
const RETRY: Bytes = Bytes::from_static(b"retry: 1000\n\n");

/// An event as it goes out.
pub fn frame(request: RequestId, event: &TokenEvent) -> Bytes {
    let mut frame = BytesMut::with_capacity(event.payload.len() + 80);
    frame.put_slice(format!("id: {request}:{}\ndata: ", event.seq).as_bytes());
    frame.put_slice(&event.payload);
    frame.put_slice(b"\n\n");
    frame.freeze()
}

/// Where a stream stands.
enum State {
    Start(Counted),
    Running(Counted),
    Ended,
}

/// The stream of a reply, moved on by whoever reads it.
fn frames(reply: Counted) -> impl Stream<Item = Result<Bytes, Infallible>> {
    unfold(State::Start(reply), |state| async {
        let mut reply = match state {
            State::Start(reply) => return Some((Ok(RETRY), State::Running(reply))),
            State::Running(reply) => reply,
            State::Ended => return None,
        };
        let request = reply.relay().request();
        let (bytes, state) = match tokio::time::timeout(KEEP_ALIVE_EVERY, reply.relay().next()).await {
            Ok(Output::Event(event)) => (frame(request, &event), State::Running(reply)),
            Ok(Output::End(End::Final)) => return None,
            Ok(Output::End(End::ComeBack)) => (RETRY, State::Ended),
            Err(_) => (KEEP_ALIVE, State::Running(reply)),
        };
        Some((Ok(bytes), state))
    })
}

/// 200 with the stream of a reply.
pub fn response(mut reply: Counted) -> Response {
    let request = reply.relay().request().to_string();
    let mut response = Response::new(Body::from_stream(frames(reply)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    // nginx would otherwise collect the stream before it passes it on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(
        REQUEST_HEADER,
        HeaderValue::from_str(&request).expect("a uuid is ASCII"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_its_id_and_the_journals_bytes() {
        let request: RequestId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let event = TokenEvent {
            epoch: 1,
            seq: 3,
            is_final: false,
            reset: false,
            payload: Bytes::from_static(br#"{"is_final":false, "content":"Gr\u00fc\n"}"#),
            note: None,
        };
        assert_eq!(
            frame(request, &event),
            "id: 01890a5d-ac96-774b-bcce-b302099a8057:3\ndata: {\"is_final\":false, \"content\":\"Gr\\u00fc\\n\"}\n\n"
        );
    }
}
