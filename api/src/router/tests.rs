//! The router, without any server behind it.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use clap::Parser;
use serde_json::Value;
use shared::lifecycle::Lifecycle;
use shared::nats::Nats;
use tower::ServiceExt;
use utoipa::OpenApi;

use super::*;
use crate::Config;
use crate::error::PROBLEM_JSON;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

/// An api with the settings of `more`, whose servers are not there: nothing listens on port 1.
pub(crate) async fn app(more: &[&str]) -> App {
    let usual = [
        "api",
        "--nats-url=nats://127.0.0.1:1",
        "--database-url=postgres://x@127.0.0.1:1/x",
    ];
    let Cli { config } = Cli::parse_from(usual.iter().chain(more));
    let lifecycle = Lifecycle::new();
    let nats = Nats::connect(&config.common.nats, "test", lifecycle.hard.clone(), |_| {})
        .await
        .unwrap();
    let pool = shared::db::pool(&config.common, "test").unwrap();
    App::new(config, nats, pool, lifecycle).unwrap()
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> (Response<()>, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    (Response::from_parts(parts, ()), body)
}

type Response<T> = axum::http::Response<T>;

pub(crate) fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

fn post(path: &str, kind: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method("POST")
        .uri(path)
        .header("content-type", kind)
        .body(body.into())
        .unwrap()
}

#[tokio::test]
async fn whatever_is_wrong_is_a_problem_with_a_stable_code() {
    let router = router(app(&[]).await).unwrap();
    let json = "application/json";
    let good = r#"{"content": "hi"}"#;
    for path in ["/chat", "/chat/", "/chat/stream", "/chat/stream/"] {
        for (request, status, code) in [
            (post(path, "text/plain", good), 415, "unsupported_media_type"),
            (
                post(path, "application/jsonx", good),
                415,
                "unsupported_media_type",
            ),
            (post(path, json, "{"), 400, "invalid_json"),
            (post(path, json, r#"{"content": 1}"#), 400, "wrong_type"),
            (
                post(path, json, vec![b' '; 256 * 1024 + 1]),
                413,
                "body_too_large",
            ),
            (
                post(path, "application/json; charset=utf-8", good),
                503,
                "queue_unavailable",
            ),
            (request("PUT", path), 405, "method_not_allowed"),
        ] {
            check(&router, request, status, code).await;
        }
    }
    for (request, status, code) in [
        (request("GET", "/nothing"), 404, "not_found"),
        (request("GET", "/chat/nothing"), 404, "not_found"),
        (request("POST", "/healthz"), 405, "method_not_allowed"),
        (request("GET", "/chat/stream"), 503, "queue_unavailable"),
        (
            request("GET", "/chat/stream?last_event_id=x"),
            400,
            "bad_last_event_id",
        ),
        (request("GET", "/chat/history?limit=0"), 400, "bad_parameter"),
    ] {
        check(&router, request, status, code).await;
    }
    let stream = Body::from_stream(futures_util::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b' '; 4096]))
    }));
    check(&router, post("/chat/", json, stream), 413, "body_too_large").await;
}

pub(crate) async fn check(router: &Router, request: Request<Body>, status: u16, code: &str) {
    let what = format!("{} {}", request.method(), request.uri());
    let (response, body) = send(router, request).await;
    assert_eq!(response.status().as_u16(), status, "{what}: {body}");
    let headers = response.headers();
    assert_eq!(headers["content-type"], PROBLEM_JSON, "{what}");
    assert_eq!(
        (&body["code"], &body["status"]),
        (&code.into(), &status.into()),
        "{what}"
    );
    assert_eq!(headers.contains_key("retry-after"), status == 503, "{what}");
    assert_eq!(headers.contains_key("allow"), status == 405, "{what}");
}

#[tokio::test]
async fn a_stranger_gets_a_device_of_its_own_also_where_something_is_wrong() {
    let router = router(app(&[]).await).unwrap();
    let mut devices = BTreeSet::new();
    for path in ["/chat/", "/chat/stream"] {
        let (response, _) = send(&router, post(path, "application/json", r#"{"content": "hi"}"#)).await;
        let headers = response.headers();
        let device = headers["x-device-id"].to_str().unwrap().to_owned();
        let cookie = headers["set-cookie"].to_str().unwrap();
        assert!(
            cookie.starts_with(&format!("device_id={device};")) && cookie.contains("HttpOnly"),
            "{cookie}"
        );
        assert!(headers.contains_key("x-request-id"));
        devices.insert(device);
    }
    assert_eq!(devices.len(), 2);

    let mut known = post("/chat/", "application/json", "{}");
    known
        .headers_mut()
        .insert("cookie", HeaderValue::from_static("device_id=mine"));
    let (response, _) = send(&router, known).await;
    assert_eq!(response.headers()["x-device-id"], "mine");
    assert!(!response.headers().contains_key("set-cookie"));

    let mut bad = post("/chat/", "application/json", "{}");
    bad.headers_mut()
        .insert("x-device-id", HeaderValue::from_static("a b"));
    let (response, body) = send(&router, bad).await;
    assert_eq!(
        (response.status().as_u16(), &body["field"]),
        (400, &"X-Device-ID".into())
    );
}

#[tokio::test]
async fn a_verified_post_leaves_a_cookie_that_a_get_is_known_by() {
    let app = app(&["--identity-secret=Jefe", "--public-url=https://chat.example"]).await;
    let router = router(app).unwrap();
    let user = "what do ya want for nothing?";
    // RFC 4231, test case 2.
    let hash = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let mut verified = post("/chat/", "application/json", "{}");
    verified
        .headers_mut()
        .insert("x-user-id", HeaderValue::from_static(user));
    verified
        .headers_mut()
        .insert("x-user-hash", HeaderValue::from_static(hash));
    let (response, _) = send(&router, verified).await;
    let cookies: Vec<_> = response
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .collect();
    assert!(
        cookies.iter().any(|cookie| cookie.starts_with("user_id=")),
        "{cookies:?}"
    );
    assert!(cookies.iter().all(|cookie| cookie.ends_with("; Secure")));

    let mut unverified = request("GET", "/chat/history");
    unverified
        .headers_mut()
        .insert("x-user-id", HeaderValue::from_static("jane"));
    check(&router, unverified, 401, "bad_user_hash").await;
}

#[tokio::test]
async fn without_servers_it_lives_and_says_that_it_is_not_ready() {
    let router = router(app(&[]).await).unwrap();
    let (response, _) = send(&router, request("GET", "/healthz")).await;
    assert_eq!(response.status(), 200);
    let (response, body) = send(&router, request("GET", "/readyz")).await;
    assert_eq!(response.status(), 503);
    assert_eq!(
        body,
        serde_json::json!({"status": "unavailable", "nats": "unavailable", "postgres": "unavailable"})
    );
    check(
        &router,
        request("GET", "/chat/history"),
        503,
        "storage_unavailable",
    )
    .await;
}

#[tokio::test]
async fn pages_have_a_policy_and_load_nothing_from_elsewhere() {
    let router = router(app(&[]).await).unwrap();
    for path in ["/", "/docs"] {
        let response = router.clone().oneshot(request("GET", path)).await.unwrap();
        let headers = response.headers().clone();
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
            assert!(!html.contains(outside), "{path}: {outside}");
        }
    }
}

#[tokio::test]
async fn other_origins_are_let_in_by_setting_only() {
    let preflight = |origin: &'static str| {
        let mut preflight = request("OPTIONS", "/chat/stream");
        let headers = preflight.headers_mut();
        headers.insert("origin", HeaderValue::from_static(origin));
        headers.insert("access-control-request-method", HeaderValue::from_static("POST"));
        headers.insert(
            "access-control-request-headers",
            HeaderValue::from_static("content-type,idempotency-key"),
        );
        preflight
    };
    let open = router(app(&["--allowed-origins=https://clinic.example/, https://b.example"]).await).unwrap();
    let (response, _) = send(&open, preflight("https://clinic.example")).await;
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://clinic.example");
    assert_eq!(headers["access-control-allow-credentials"], "true");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap();
    assert!(
        allowed.contains("idempotency-key") && allowed.contains("last-event-id"),
        "{allowed}"
    );
    let (response, _) = send(&open, preflight("https://evil.example")).await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));

    let closed = router(app(&[]).await).unwrap();
    check(
        &closed,
        preflight("https://clinic.example"),
        405,
        "method_not_allowed",
    )
    .await;
    let bad = router(app(&["--allowed-origins=*"]).await);
    assert!(bad.unwrap_err().to_string().contains("ALLOWED_ORIGINS"));
}

#[tokio::test]
async fn beyond_the_limit_everything_but_health_is_a_503_that_other_origins_can_read() {
    let full = at_capacity(app(&["--allowed-origins=https://clinic.example"]).await).unwrap();
    for (method, path) in [("GET", "/"), ("POST", "/chat/stream"), ("GET", "/x")] {
        check(&full, request(method, path), 503, "too_many_connections").await;
    }
    let mut from_elsewhere = request("GET", "/chat/stream");
    let origin = HeaderValue::from_static("https://clinic.example");
    from_elsewhere.headers_mut().insert(header::ORIGIN, origin);
    let (response, _) = send(&full, from_elsewhere).await;
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://clinic.example"
    );
    let (response, _) = send(&full, request("GET", "/healthz")).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_panic_is_a_problem_without_its_text() {
    async fn panics() {
        panic!("secret");
    }
    let router = Router::new()
        .route("/", axum::routing::get(panics))
        .layer(CatchPanicLayer::custom(panicked));
    let (response, body) = send(&router, request("GET", "/")).await;
    assert_eq!(
        (response.status().as_u16(), &body["code"]),
        (500, &"internal".into())
    );
    assert!(!body.to_string().contains("secret"));
}

/// `/chat` and `/chat/` are the same.
fn path(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}

#[tokio::test]
async fn the_description_has_every_route_and_no_other() {
    let app = app(&[]).await;
    let mut described = BTreeMap::new();
    let document = serde_json::to_value(crate::routes::docs::ApiDoc::openapi()).unwrap();
    for (route, methods) in document["paths"].as_object().unwrap() {
        let methods: BTreeSet<_> = methods.as_object().unwrap().keys().cloned().collect();
        described.insert(path(route).to_owned(), methods);
    }
    // axum does not list its routes, but prints them; what each allows, it says itself.
    let printed = format!("{:?}", routes(&app).merge(webhooks::router()));
    let listed = printed.split("paths: {").nth(1).unwrap();
    let listed = listed.split('}').next().unwrap();
    let router = router(app).unwrap();
    let mut routed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for route in listed.split('"').filter(|text| text.starts_with('/')) {
        let (response, _) = send(&router, request("TRACE", route)).await;
        let allow = response.headers()["allow"].to_str().unwrap();
        let methods = allow.split(',').filter(|method| *method != "HEAD");
        routed
            .entry(path(route).to_owned())
            .or_default()
            .extend(methods.map(str::to_ascii_lowercase));
    }
    assert_eq!(described, routed);
    assert!(described.contains_key("/chat/stream"));
}
