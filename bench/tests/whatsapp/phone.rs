//! The phone, and the simulator's settings over HTTP.

use bench::whatsapp::{MetaAccount, Simulator, TwilioAccount};
use serde_json::{Value, json};

use crate::clinic::{Clinic, client};

#[tokio::test]
async fn a_phone_writes_and_shows_what_comes_back() {
    let (clinic, url) = Clinic::start(0).await;
    let sample = (MetaAccount::sample(), TwilioAccount::sample());
    let simulator = Simulator::start(([127, 0, 0, 1], 0).into(), sample.0, sample.1)
        .await
        .unwrap();
    simulator.webhooks_to(&url, &url);
    let base = simulator.base_url();
    let act = async |what: Value| {
        let answer = client()
            .post(format!("{base}/phone/act"))
            .json(&what)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{what}");
        answer.json::<Value>().await.unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let screen = async || {
        let url = format!("{base}/phone/screen?provider=meta&number=16505551234");
        client()
            .get(url)
            .send()
            .await
            .unwrap()
            .json::<Value>()
            .await
            .unwrap()
    };
    let settled = async || {
        simulator.meta().line().courier.idle().await;
        screen().await
    };
    let id = act(json!({"number": "+16505551234", "act": "text", "text": "Hello", "copies": 2})).await;
    assert_eq!(settled().await["bubbles"][0]["ticks"], "taken");
    assert_eq!(clinic.bodies.lock().await.len(), 2);

    let account = simulator.meta().account();
    let messages = format!("{base}/v23.0/{}/messages", account.phone_number_id);
    let post = async |body: Value| {
        let request = client()
            .post(&messages)
            .bearer_auth(&account.access_token)
            .json(&body);
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    let typing = json!({"type": "text"});
    post(json!({"messaging_product": "whatsapp", "status": "read", "message_id": id, "typing_indicator": typing})).await;
    let shown = screen().await;
    assert_eq!(
        (&shown["typing"], &shown["bubbles"][0]["ticks"]),
        (&json!(true), &json!("read"))
    );

    let yes = json!({"type": "reply", "reply": {"id": "yes", "title": "Yes"}});
    post(json!({
        "messaging_product": "whatsapp", "to": "16505551234", "type": "interactive",
        "interactive": {"type": "button", "body": {"text": "Shall we?"}, "action": {"buttons": [yes]}},
    }))
    .await;
    let shown = settled().await;
    assert_eq!(shown["typing"], false);
    assert_eq!(shown["bubbles"][1]["buttons"], json!([["yes", "Yes"]]));
    assert_eq!(shown["bubbles"][1]["told"], json!(["sent", "delivered", "read"]));

    act(json!({"number": "16505551234", "act": "button", "id": "yes", "title": "Yes"})).await;
    let voice = act(json!({"number": "16505551234", "act": "voice"})).await;
    act(json!({"number": "16505551234", "act": "edit", "of": id, "text": "Good morning"})).await;
    act(json!({"number": "16505551234", "act": "delete", "of": voice})).await;
    let shown = settled().await;
    let (first, pressed, deleted) = (&shown["bubbles"][0], &shown["bubbles"][2], &shown["bubbles"][3]);
    assert_eq!(
        (&first["text"], &first["edited"]),
        (&json!("Good morning"), &json!(true))
    );
    assert_eq!(
        (&pressed["text"], &deleted["deleted"]),
        (&json!("Yes"), &json!(true))
    );
    let mut kinds: Vec<String> = Vec::new();
    for body in clinic.jsons().await {
        let message = &body["entry"][0]["changes"][0]["value"]["messages"][0];
        kinds.extend(message["type"].as_str().map(str::to_owned));
    }
    kinds.sort();
    assert_eq!(kinds, ["audio", "edit", "interactive", "revoke", "text", "text"]);
}

#[tokio::test]
async fn a_simulator_is_told_over_http_what_is_to_go_wrong() {
    let sample = (MetaAccount::sample(), TwilioAccount::sample());
    let simulator = Simulator::start(([127, 0, 0, 1], 0).into(), sample.0, sample.1)
        .await
        .unwrap();
    let faults = format!("{}/sim/meta/faults", simulator.base_url());
    let rule = json!({"fault": {"error": 131_056}, "to": "16505551234", "times": 1});
    assert_eq!(
        client().post(&faults).json(&rule).send().await.unwrap().status(),
        204
    );
    let account = simulator.meta().account();
    let messages = format!(
        "{}/v23.0/{}/messages",
        simulator.base_url(),
        account.phone_number_id
    );
    let body = json!({"messaging_product": "whatsapp", "to": "16505551234", "text": {"body": "Hello"}});
    let mut answered = Vec::new();
    for _ in 0..2 {
        let request = client()
            .post(&messages)
            .bearer_auth(&account.access_token)
            .json(&body);
        answered.push(request.send().await.unwrap().status().as_u16());
    }
    assert_eq!(answered, [400, 200]);
    let summary = client()
        .get(format!("{}/sim/meta/summary", simulator.base_url()))
        .send()
        .await
        .unwrap();
    let summary: Value = summary.json().await.unwrap();
    assert_eq!(
        (&summary["accepted"], &summary["refused"]),
        (&json!(1), &json!(1))
    );
}
