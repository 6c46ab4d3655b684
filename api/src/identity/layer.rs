//! What surrounds every chat handler: who is asking goes in, cookies and ids come out, also where something is wrong.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use shared::ids::RequestId;
use time::OffsetDateTime;
use tracing::Instrument;

use super::{Claim, DEVICE_HEADER};
use crate::state::App;

/// The header that names the message, or else this very HTTP request.
pub const REQUEST_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Middleware: finds the [`super::Visitor`] and hands it to the handler as an extension.
pub async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let now = OffsetDateTime::now_utc();
    let (mut response, claim) = match app.identity.read(request.headers(), now) {
        Err(problem) => (problem.into_response(), None),
        Ok(claim) => {
            let is_post = request.method() == Method::POST;
            let span = tracing::info_span!("chat", session = %claim.visitor.session);
            request.extensions_mut().insert(claim.visitor.clone());
            let response = next.run(request).instrument(span).await;
            (response, Some((claim, is_post)))
        }
    };
    let headers = response.headers_mut();
    if !headers.contains_key(REQUEST_HEADER) {
        let id = RequestId::new().to_string();
        headers.insert(
            REQUEST_HEADER,
            HeaderValue::from_str(&id).expect("a uuid is ASCII"),
        );
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let Some((claim, is_post)) = claim else {
        return response;
    };
    let Claim {
        visitor,
        vouched,
        new_device,
    } = claim;
    if let Ok(device) = HeaderValue::from_str(&visitor.device) {
        headers.insert(DEVICE_HEADER, device);
    }
    if new_device && let Some(cookie) = app.identity.cookies.device(&visitor.device) {
        headers.append(header::SET_COOKIE, cookie);
    }
    if let (true, true, Some(user), Some(signer)) = (is_post, vouched, &visitor.user, &app.identity.signer)
        && let Some(cookie) = app.identity.cookies.user(&signer.write_cookie(user, now))
    {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}
