//! Meta: what it accepts, refuses and tells.

use bench::whatsapp::fault::Target;
use bench::whatsapp::meta::{Item, Message};
use bench::whatsapp::statuses::State;
use bench::whatsapp::{Customer, Disorder, FakeMeta, Fault, MetaAccount, Rule, Statuses, signature};
use serde_json::{Value, json};

use crate::clinic::{Clinic, client};

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
        states: vec![State::Sent],
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
async fn media_wants_the_token_and_a_name_and_its_link_ends() {
    let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
    let picture = meta.line().media.picture();
    let get = async |url: &str, token: &str| {
        let request = client().get(url).bearer_auth(token).header("user-agent", "test");
        request.send().await.unwrap()
    };
    let token = &meta.account().access_token;
    let about = format!("{}/v23.0/{}", meta.base_url(), picture.id);
    assert_eq!(get(&about, "wrong").await.status(), 401);
    let described: Value = get(&about, token).await.json().await.unwrap();
    assert_eq!(described["file_size"], picture.bytes.len());
    assert_eq!(described["sha256"], picture.sha256());
    let url = described["url"].as_str().unwrap();
    assert_eq!(get(url, "wrong").await.status(), 401);
    let nameless = client().get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(nameless.status(), 403);
    assert_eq!(get(url, token).await.bytes().await.unwrap(), picture.bytes);
    meta.line().media.expire_links();
    assert_eq!(get(url, token).await.status(), 404);
    meta.line().media.expire_next(1);
    for status in [404, 200] {
        let described: Value = get(&about, token).await.json().await.unwrap();
        let url = described["url"].as_str().unwrap();
        assert_eq!(get(url, token).await.status(), status);
    }
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
