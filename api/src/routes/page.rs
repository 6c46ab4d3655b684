//! `/`: the chat page, and how pages of ours are served: one file each, with nothing from elsewhere.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use shared::clinic::Clinic;

use crate::state::App;

/// This resource's routes.
pub fn router() -> Router<App> {
    Router::new().route("/", get(page))
}

/// The chat page, with the clinic's names in it.
#[derive(Clone, Debug)]
pub struct Page(Document);

impl Page {
    /// The page of this clinic.
    pub fn new(clinic: &Clinic) -> Self {
        Self(Document::new(
            include_str!("page/chat.html"),
            include_str!("page/chat.css"),
            include_str!("page/chat.js"),
            &[("{{clinic}}", &clinic.name), ("{{assistant}}", &clinic.assistant)],
        ))
    }
}

/// The chat page.
#[utoipa::path(get, path = "/", tag = "pages", responses(
    (status = 200, description = "A page.", content_type = "text/html")))]
pub(super) async fn page(State(app): State<App>) -> Response {
    app.page.0.clone().into_response()
}

/// A page in one file, whose policy names its script and style by their hashes, so that nothing else runs.
#[derive(Clone, Debug)]
pub(super) struct Document {
    html: String,
    policy: String,
}

impl Document {
    /// Puts style and script into the places `{{style}}` and `{{script}}`, and escaped values into theirs.
    pub fn new(html: &str, style: &str, script: &str, values: &[(&str, &str)]) -> Self {
        let mut html = html.to_owned();
        for (place, value) in values {
            html = html.replace(place, &escape(value));
        }
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
            form-action 'none'; frame-ancestors 'self'",
            hash(script),
            hash(style)
        );
        Self {
            html: html.replace("{{style}}", style).replace("{{script}}", script),
            policy,
        }
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                "same-origin",
            ),
        ];
        let policy = [(header::CONTENT_SECURITY_POLICY, self.policy)];
        (headers, policy, self.html).into_response()
    }
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

/// Safe as text and in a quoted attribute.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_clinics_names_and_a_policy_that_allows_its_own_script_and_style_alone() {
        let mut clinic = Clinic::shipped();
        clinic.name = "<b>Smile & Co".into();
        let Page(page) = Page::new(&clinic);
        assert!(page.html.contains("&lt;b&gt;Smile &amp; Co") && page.html.contains("Anna"));
        assert!(!page.html.contains("{{"));
        for (text, directive) in [
            (include_str!("page/chat.js"), "script-src"),
            (include_str!("page/chat.css"), "style-src"),
        ] {
            assert!(page.html.contains(text));
            assert!(page.policy.contains(&format!("{directive} {}", hash(text))));
        }
        assert!(!page.policy.contains("unsafe"));
        // The policy forbids these.
        assert!(!page.html.contains(" style=") && !page.html.contains(" onclick="));
    }

    #[test]
    fn a_hash_is_written_as_browsers_want_it() {
        // printf %s 'alert(1)' | openssl dgst -sha256 -binary | base64
        assert_eq!(
            hash("alert(1)"),
            "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
        );
    }
}
