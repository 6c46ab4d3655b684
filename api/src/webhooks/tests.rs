//! The webhooks' routes, without any server behind them.

use axum::http::{HeaderValue, Request};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use tower::ServiceExt;

use super::*;
use crate::router::router as whole;
use crate::router::tests::{app, check, request, send};

const SETTINGS: [&str; 8] = [
    "--meta-phone-number-id=106",
    "--meta-app-secret=appsecret",
    "--meta-verify-token=verify me",
    "--meta-access-token=token",
    "--twilio-from=whatsapp:+15550783881",
    "--twilio-account-sid=AC1",
    "--twilio-auth-token=12345",
    "--public-url=https://chat.example",
];

/// A body in which there is nothing to be done.
const EMPTY: &str = r#"{"object":"whatsapp_business_account","entry":[]}"#;
const MESSAGE: &str = r#"{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{
    "metadata":{"phone_number_id":"106"},"messages":[{"from":"16505551234","id":"wamid.1","timestamp":"1","type":"text","text":{"body":"hi"}}]}}]}]}"#;

fn signed(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    format!(
        "sha256={}",
        hex::encode(mac.chain_update(body).finalize().into_bytes())
    )
}

fn from_meta(signature: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(META)
        .header("x-hub-signature-256", signature)
        .body(body.into())
        .unwrap()
}

/// A form, signed for `url` (of which the path and the query are asked for).
fn from_twilio(token: &str, url: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    for (key, value) in sorted {
        mac.update(key.as_bytes());
        mac.update(value.as_bytes());
    }
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let path = url.splitn(4, '/').nth(3).unwrap();
    Request::post(format!("/{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", STANDARD.encode(mac.finalize().into_bytes()))
        .body(form.into())
        .unwrap()
}

async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn the_handshake_repeats_the_challenge_to_whoever_knows_the_token() {
    let router = whole(app(&SETTINGS).await).unwrap();
    let asked = |query: &str| request("GET", &format!("{META}?{query}"));
    let good = asked("hub.mode=subscribe&hub.challenge=%3Cb%3E1158201444&hub.verify_token=verify+me");
    let response = router.clone().oneshot(good).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(text(response).await, "<b>1158201444");
    for wrong in [
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=verify+m",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
        "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=verify+me",
        "hub.challenge=1",
    ] {
        check(&router, asked(wrong), 403, "wrong_verify_token").await;
    }
    let without = asked("hub.mode=subscribe&hub.verify_token=verify+me");
    check(&router, without, 400, "bad_parameter").await;
}

#[tokio::test]
async fn only_a_right_signature_is_let_in_and_a_wrong_one_learns_nothing() {
    let router = whole(app(&SETTINGS).await).unwrap();
    let fields = [
        ("MessageSid", "SM1"),
        ("MessageStatus", "queued"),
        ("From", "whatsapp:+15550783881"),
    ];
    let at = |path: &str| format!("https://chat.example{path}");
    let twilio = |token, path: &str| from_twilio(token, &at(path), &fields);
    let stolen = Request::post("/webhooks/twilio?delivery=1")
        .header(
            "x-twilio-signature",
            twilio("12345", "/webhooks/twilio").headers()["x-twilio-signature"].clone(),
        )
        .body(Body::empty())
        .unwrap();
    let mut answers = std::collections::BTreeSet::new();
    for refused in [
        from_meta(&signed("other", EMPTY), EMPTY),
        from_meta(&signed("appsecret", "{}"), EMPTY),
        from_meta("sha256=", EMPTY),
        from_meta("", "not even JSON"),
        request("POST", META),
        twilio("1234", "/webhooks/twilio"),
        stolen,
        request("POST", "/webhooks/twilio"),
    ] {
        let (response, body) = send(&router, refused).await;
        assert_eq!(response.status(), 401);
        assert!(!response.headers().contains_key("set-cookie"));
        answers.insert(body.to_string());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");

    let good = router
        .clone()
        .oneshot(from_meta(&signed("appsecret", EMPTY), EMPTY))
        .await
        .unwrap();
    assert_eq!((good.status().as_u16(), text(good).await.as_str()), (200, ""));
    for path in [
        "/webhooks/twilio",
        "/webhooks/twilio?delivery=00000000-0000-0000-0000-000000000000&a=%20b",
    ] {
        let good = router.clone().oneshot(twilio("12345", path)).await.unwrap();
        assert_eq!(good.status(), 200);
        assert_eq!(good.headers()["content-type"], "text/xml");
        assert_eq!(text(good).await, "<Response/>");
    }
}

#[tokio::test]
async fn what_cannot_be_published_has_to_come_again_and_nothing_of_it_is_said() {
    let router = whole(app(&SETTINGS).await).unwrap();
    let meta = from_meta(&signed("appsecret", MESSAGE), MESSAGE);
    check(&router, meta, 503, "queue_unavailable").await;
    let unknown = r#"{"hello":"Jane"}"#;
    check(
        &router,
        from_meta(&signed("appsecret", unknown), unknown),
        503,
        "queue_unavailable",
    )
    .await;
    let fields = [
        ("MessageSid", "SM1"),
        ("From", "whatsapp:+16505551234"),
        ("To", "whatsapp:+15550783881"),
        ("Body", "Jane, ünï ✓"),
    ];
    let twilio = || from_twilio("12345", "https://chat.example/webhooks/twilio", &fields);
    check(&router, twilio(), 503, "queue_unavailable").await;
    let (_, body) = send(&router, twilio()).await;
    assert!(!body.to_string().contains("Jane") && !body.to_string().contains("1650"));
}

#[tokio::test]
async fn a_provider_that_is_not_configured_is_not_there() {
    let none = whole(app(&[]).await).unwrap();
    let handshake = format!("{META}?hub.mode=subscribe&hub.challenge=1&hub.verify_token=");
    check(&none, request("GET", &handshake), 404, "not_found").await;
    check(&none, from_meta(&signed("", EMPTY), EMPTY), 404, "not_found").await;
    check(&none, request("POST", "/webhooks/twilio"), 404, "not_found").await;
    check(
        &none,
        request("GET", "/webhooks/twilio"),
        405,
        "method_not_allowed",
    )
    .await;
    let meta = whole(app(&SETTINGS[..4]).await).unwrap();
    check(&meta, request("POST", "/webhooks/twilio"), 404, "not_found").await;
    check(&meta, from_meta("", EMPTY), 401, "unauthorized").await;
}

#[tokio::test]
async fn a_large_batch_is_read_and_a_larger_one_is_not() {
    let app = app(&SETTINGS).await;
    let router = whole(app.clone()).unwrap();
    let padded = |length: usize| format!("{EMPTY}{}", " ".repeat(length - EMPTY.len()));
    let (large, too_large) = (padded(MAX_WEBHOOK), padded(MAX_WEBHOOK + 1));
    let announced = |body: &str, signature: &str| {
        let mut request = from_meta(signature, body.to_owned());
        request
            .headers_mut()
            .insert("content-length", HeaderValue::from(body.len()));
        request
    };
    let signature = signed("appsecret", &large);
    let (response, _) = send(&router, announced(&large, &signature)).await;
    assert_eq!(response.status(), 200);
    check(&router, announced(&too_large, "sha256=00"), 413, "body_too_large").await;
    check(
        &router,
        from_meta("sha256=00", too_large.clone()),
        413,
        "body_too_large",
    )
    .await;

    // Strangers can send large bodies, too: there are only so many at once, and usual ones need no place.
    let _all = app
        .large_webhooks
        .acquire_many(u32::try_from(LARGE_WEBHOOKS).unwrap())
        .await
        .unwrap();
    check(
        &router,
        announced(&large, &signature),
        503,
        "too_many_large_bodies",
    )
    .await;
    let (response, _) = send(&router, announced(EMPTY, &signed("appsecret", EMPTY))).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn one_app_does_not_speak_for_the_number_of_another() {
    let path = std::env::temp_dir().join(format!("frontdesk-senders-{}.toml", uuid::Uuid::now_v7()));
    let other = "[[meta]]\nphone_number_id = \"107\"\napp_secret = \"other\"\nverify_token = \"v\"\naccess_token = \"t\"\n";
    std::fs::write(&path, other).unwrap();
    let file = format!("--whatsapp-config={}", path.display());
    let app = app(&[&SETTINGS[..4], &[&file]].concat()).await;
    std::fs::remove_file(&path).unwrap();
    let names = |secret: &str| {
        let body = MESSAGE.as_bytes();
        let trusted = meta::trusted(&app.senders, body, &signed(secret, MESSAGE));
        trusted
            .iter()
            .map(|sender| sender.phone_number_id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("appsecret"), ["106"]);
    assert_eq!(names("other"), ["107"]);
    assert!(names("third").is_empty());
}

#[tokio::test]
async fn no_page_of_another_origin_is_let_in() {
    let origins = [&SETTINGS[..], &["--allowed-origins=https://clinic.example"]].concat();
    let router = whole(app(&origins).await).unwrap();
    let mut asked = from_meta("", EMPTY);
    asked
        .headers_mut()
        .insert("origin", HeaderValue::from_static("https://clinic.example"));
    let (response, _) = send(&router, asked).await;
    assert_eq!(response.status(), 401);
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}
