//! Twilio: what it accepts, refuses and tells.

use bench::whatsapp::{Customer, FakeTwilio, Fault, Statuses, TwilioAccount, signature, twilio};
use serde_json::{Value, json};

use crate::clinic::{Clinic, client};

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

#[tokio::test]
async fn twilio_repeats_a_webhook_five_times_and_then_it_is_lost() {
    let (clinic, url) = Clinic::start(6).await;
    let twilio = FakeTwilio::start(TwilioAccount::sample()).await.unwrap();
    twilio.line().webhook_to(&url);
    let customer = Customer::with_phone("+16505551234");
    let hello = || twilio::Message::text(&customer, "Hello");
    assert!(!twilio.deliver(&hello()).await);
    assert!(twilio.deliver(&hello()).await);
    assert_eq!(clinic.bodies.lock().await.len(), 1);
}
