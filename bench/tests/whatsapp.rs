//! The fake providers over real HTTP: faults, statuses, media, webhooks.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use bench::whatsapp::fault::Target;
use bench::whatsapp::meta::{Item, Message};
use bench::whatsapp::statuses::State as Status;
use bench::whatsapp::{
    Customer, Disorder, FakeMeta, FakeTwilio, Fault, MetaAccount, Rule, Statuses, TwilioAccount, signature,
    twilio,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// A clinic that takes webhooks, after it has refused some.
#[derive(Clone, Default)]
struct Clinic {
    bodies: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
    refuses: Arc<AtomicUsize>,
}

impl Clinic {
    async fn start(refuses: usize) -> (Self, String) {
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

    async fn jsons(&self) -> Vec<Value> {
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

fn client() -> reqwest::Client {
    shared::tls::install();
    reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

async fn send(meta: &FakeMeta, to: &str, our_id: &str) -> Result<(u16, Value), reqwest::Error> {
    let url = format!(
        "{}/v23.0/{}/messages",
        meta.base_url(),
        meta.account().phone_number_id
    );
    let body = json!({
        "messaging_product": "whatsapp", "to": to, "type": "text", "biz_opaque_callback_data": our_id,
        "text": {"body": "Hello"},
    });
    let request = client().post(url).bearer_auth(&meta.account().access_token);
    let response = request.json(&body).send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

async fn send_twilio(twilio: &FakeTwilio, callback: &str) -> (u16, Value) {
    let account = twilio.account();
    let url = format!(
        "{}/2010-04-01/Accounts/{}/Messages.json",
        twilio.base_url(),
        account.account_sid
    );
    let from = format!("whatsapp:{}", account.from);
    let fields = [
        ("From", from.as_str()),
        ("To", "whatsapp:+16505551234"),
        ("Body", "Hello"),
        ("StatusCallback", callback),
    ];
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = client()
        .post(url)
        .basic_auth(&account.account_sid, Some(&account.auth_token));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn every_code_of_the_table_is_answered_as_meta_does() {
    let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
    let table = [
        (0, 401),
        (1, 400),
        (2, 503),
        (4, 429),
        (10, 403),
        (100, 400),
        (190, 401),
        (80007, 429),
        (130_429, 429),
        (130_472, 400),
        (131_026, 400),
        (131_047, 400),
        (131_049, 400),
        (131_051, 400),
        (131_056, 400),
    ];
    for (code, status) in table {
        meta.line().faults.next(Fault::Error(code));
        let (answered, body) = send(&meta, "16505551234", "a").await.unwrap();
        assert_eq!((answered, &body["error"]["code"]), (status, &json!(code)));
        assert!(
            body["error"]["fbtrace_id"].is_string() && body["error"]["error_data"]["details"].is_string()
        );
    }
    assert_eq!(
        (meta.line().records.total(), meta.line().records.refused().len()),
        (0, table.len())
    );
    let (status, body) = send(&meta, "16505551234", "a").await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(
        body["messages"][0]["id"],
        meta.line().records.accepted()[0].id.as_str()
    );
}

#[tokio::test]
async fn a_message_is_accepted_or_not_whatever_the_answer_is() {
    let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
    let faults = &meta.line().faults;
    faults.next(Fault::Drop);
    assert!(send(&meta, "16505551234", "a").await.is_err());
    faults.next(Fault::AcceptAndDrop);
    assert!(send(&meta, "16505551234", "a").await.is_err());
    faults.next(Fault::Http(502));
    assert_eq!(send(&meta, "16505551234", "b").await.unwrap().0, 502);
    for garbage in [Fault::Garbage, Fault::AcceptAndGarbage] {
        faults.next(garbage);
        let (status, body) = send(&meta, "16505551234", "c").await.unwrap();
        assert!(status == 200 && body.is_string());
    }
    for stall in [Fault::Stall, Fault::AcceptAndStall] {
        faults.next(stall);
        let records = &meta.line().records;
        let arrived = || records.total() + records.refused().len();
        let before = arrived();
        let has_arrived = async {
            while arrived() == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = send(&meta, "16505551234", "d") => panic!("it was answered: {answer:?}"),
            () = has_arrived => {}
        }
    }
    assert_eq!(send(&meta, "16505551234", "a").await.unwrap().0, 200);
    let accepted = meta.line().records.accepted_by("+16505551234");
    let accepted: Vec<_> = accepted
        .iter()
        .map(|one| (one.our_id.as_deref().unwrap(), one.told))
        .collect();
    assert_eq!(accepted, [("a", false), ("c", false), ("d", false), ("a", true)]);
    let repeated = meta.line().records.repeated();
    assert_eq!(
        (repeated.len(), repeated[0].times, repeated[0].needless),
        (1, 2, 0)
    );
    assert_eq!(meta.line().records.refused().len(), 4);
}

#[tokio::test]
async fn a_wrong_token_and_a_wrong_number_are_refused() {
    let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
    let ask = async |path: &str, token: &str| {
        let url = format!("{}{path}", meta.base_url());
        let response = client()
            .post(url)
            .bearer_auth(token)
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        (
            status,
            response.json::<Value>().await.unwrap()["error"]["code"]
                .as_i64()
                .unwrap(),
        )
    };
    assert_eq!(ask("/v23.0/106540352242922/messages", "wrong").await, (401, 190));
    assert_eq!(ask("/v23.0/1/messages", "EAAJB-sample").await, (400, 100));
    assert_eq!(
        ask("/23/106540352242922/messages", "EAAJB-sample").await,
        (400, 100)
    );
}

#[tokio::test]
async fn statuses_are_signed_and_come_until_they_are_taken() {
    let (clinic, url) = Clinic::start(2).await;
    let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
    meta.line().webhook_to(&url);
    meta.line().set_statuses(Statuses::read());
    send(&meta, "16505551234", "our-id").await.unwrap();
    meta.line().faults.next(Fault::FailLater(131_047));
    meta.line().courier.idle().await;
    send(&meta, "16505551234", "second").await.unwrap();
    meta.line().courier.idle().await;
    let statuses: Vec<Value> = clinic
        .jsons()
        .await
        .into_iter()
        .map(|body| body["entry"][0]["changes"][0]["value"]["statuses"][0].clone())
        .collect();
    let told: Vec<_> = statuses
        .iter()
        .map(|status| status["status"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["sent", "delivered", "read", "sent", "failed"]);
    assert_eq!(statuses[0]["biz_opaque_callback_data"], "our-id");
    assert_eq!(statuses[0]["id"], meta.line().records.accepted()[0].id.as_str());
    assert_eq!(statuses[4]["errors"][0]["code"], 131_047);
    for (_, headers, body) in clinic.bodies.lock().await.iter() {
        assert_eq!(
            headers["x-hub-signature-256"],
            signature::meta("appsecret", body).as_str()
        );
    }
    assert_eq!(meta.line().courier.summary().statuses["503"], 2);
}

#[tokio::test]
async fn a_status_can_come_before_the_answer() {
    let (clinic, url) = Clinic::start(0).await;
    let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
    meta.line().webhook_to(&url);
    meta.line().set_statuses(Statuses {
        before_the_answer: true,
        states: vec![Status::Sent],
        ..Statuses::default()
    });
    send(&meta, "16505551234", "our-id").await.unwrap();
    assert_eq!(clinic.jsons().await.len(), 1);
}

#[tokio::test]
async fn all_messages_arrive_in_disorder() {
    let (clinic, url) = Clinic::start(3).await;
    let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
    meta.line().webhook_to(&url);
    let customer = Customer::with_phone("16505551234");
    let (picture, voice) = (meta.line().media.picture(), meta.line().media.voice());
    let messages = Message::all(&customer, &picture, &voice);
    let mut sent: Vec<_> = messages.iter().map(|message| message.id().to_owned()).collect();
    meta.send_disordered(messages.into_iter().map(Item::from), &Disorder::usual(1));
    meta.line().courier.idle().await;
    let mut arrived = Vec::new();
    for body in clinic.jsons().await {
        for change in body["entry"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|entry| entry["changes"].as_array().unwrap())
        {
            for name in ["messages", "message_echoes"] {
                let list = change["value"][name].as_array().into_iter().flatten();
                arrived.extend(list.map(|message| message["id"].as_str().unwrap().to_owned()));
            }
        }
    }
    assert!(arrived.len() > sent.len());
    arrived.sort();
    arrived.dedup();
    sent.sort();
    assert_eq!(arrived, sent);
}

#[tokio::test]
async fn media_wants_the_token_and_its_link_ends() {
    let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
    let picture = meta.line().media.picture();
    let get = async |url: &str, token: &str| client().get(url).bearer_auth(token).send().await.unwrap();
    let token = &meta.account().access_token;
    let about = format!("{}/v23.0/{}", meta.base_url(), picture.id);
    assert_eq!(get(&about, "wrong").await.status(), 401);
    let described: Value = get(&about, token).await.json().await.unwrap();
    assert_eq!(described["file_size"], picture.bytes.len());
    assert_eq!(described["sha256"], picture.sha256());
    let url = described["url"].as_str().unwrap();
    assert_eq!(get(url, "wrong").await.status(), 401);
    assert_eq!(get(url, token).await.bytes().await.unwrap(), picture.bytes);
    meta.line().media.expire_links();
    assert_eq!(get(url, token).await.status(), 404);
    meta.line()
        .faults
        .add(Rule::new(Fault::Http(500)).on(Target::Media).times(1));
    assert_eq!(get(&about, token).await.status(), 500);
    assert_eq!(get(&about, token).await.status(), 200);
}

#[tokio::test]
async fn marks_are_kept() {
    let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
    let url = format!(
        "{}/v23.0/{}/messages",
        meta.base_url(),
        meta.account().phone_number_id
    );
    let mark = json!({
        "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.in",
        "typing_indicator": {"type": "text"},
    });
    let request = client()
        .post(url)
        .bearer_auth(&meta.account().access_token)
        .json(&mark);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"success": true}));
    let marks = meta.line().records.marks();
    assert!(marks.len() == 1 && marks[0].message == "wamid.in" && marks[0].typing);
}

#[tokio::test]
async fn twilio_refuses_accepts_and_calls_back() {
    let (clinic, url) = Clinic::start(1).await;
    let twilio = FakeTwilio::start(TwilioAccount::sample()).await.unwrap();
    twilio.line().set_statuses(Statuses::delivered());
    let callback = format!("{url}/webhooks/twilio?delivery=our-id");
    for (fault, status, code) in [
        (63016, 400, 63016),
        (63018, 429, 63018),
        (429, 429, 20429),
        (21617, 400, 21617),
        (20003, 401, 20003),
    ] {
        twilio.line().faults.next(Fault::Error(fault));
        let (answered, body) = send_twilio(&twilio, &callback).await;
        assert_eq!(
            (answered, &body["code"], &body["status"]),
            (status, &json!(code), &json!(status))
        );
    }
    let (status, body) = send_twilio(&twilio, &callback).await;
    assert_eq!(status, 201);
    twilio.line().courier.idle().await;
    twilio.line().faults.next(Fault::FailLater(63016));
    send_twilio(&twilio, &callback).await;
    twilio.line().courier.idle().await;
    let accepted = twilio.line().records.accepted_by("16505551234");
    assert_eq!(
        (accepted.len(), accepted[0].our_id.as_deref()),
        (2, Some("our-id"))
    );
    assert_eq!(body["sid"], accepted[0].id.as_str());
    let mut told = Vec::new();
    for (path, headers, body) in clinic.bodies.lock().await.iter() {
        assert_eq!(path, "/webhooks/twilio?delivery=our-id");
        let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        assert_eq!(
            headers["x-twilio-signature"],
            signature::twilio("12345", &callback, &fields).as_str()
        );
        let field = |name: &str| {
            fields
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        told.push((field("MessageStatus").unwrap(), field("ErrorCode")));
    }
    let told: Vec<_> = told
        .iter()
        .map(|(status, code)| (status.as_str(), code.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("sent", None),
            ("delivered", None),
            ("sent", None),
            ("undelivered", Some("63016"))
        ]
    );
}

#[tokio::test]
async fn twilios_messages_are_signed_forms_and_their_media_are_elsewhere() {
    let (clinic, url) = Clinic::start(0).await;
    let twilio = FakeTwilio::start(TwilioAccount::sample()).await.unwrap();
    twilio
        .line()
        .webhook_through(&url, "https://clinic.example/webhooks/twilio");
    let customer = Customer::with_phone("+16505551234");
    let picture = twilio.line().media.picture();
    assert!(
        twilio
            .deliver(&twilio::Message::media(
                &customer,
                std::slice::from_ref(&picture),
                None
            ))
            .await
    );
    let (_, headers, body) = clinic.bodies.lock().await[0].clone();
    let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let right = signature::twilio("12345", "https://clinic.example/webhooks/twilio", &fields);
    assert_eq!(headers["x-twilio-signature"], right.as_str());
    let field = |name: &str| {
        fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(
        (field("From"), field("WaId")),
        (Some("whatsapp:+16505551234"), Some("16505551234"))
    );
    assert_eq!((field("NumMedia"), field("Body")), (Some("1"), None));
    let media = field("MediaUrl0").unwrap();
    let account = twilio.account();
    let get = || client().get(media);
    assert_eq!(get().send().await.unwrap().status(), 401);
    let moved = get()
        .basic_auth(&account.account_sid, Some(&account.auth_token))
        .send()
        .await
        .unwrap();
    assert_eq!(moved.status(), 307);
    let location = moved.headers()["location"].to_str().unwrap();
    assert_eq!(
        client()
            .get(location)
            .bearer_auth("x")
            .send()
            .await
            .unwrap()
            .status(),
        400
    );
    let file = client().get(location).send().await.unwrap();
    assert_eq!(file.bytes().await.unwrap(), picture.bytes);
}
