//! Anna with a language model on WhatsApp: both servers are played.

use anyhow::Result;
use bench::model::{FakeModel, Rule, Script};
use bench::whatsapp::meta::Message;
use bench::whatsapp::{Customer, twilio};
use e2e::eventually;
use e2e::phone::OnWhatsApp;

const JOHN: &str = "16505551234";

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_note_is_heard_by_the_model_and_its_markdown_arrives_as_whatsapps_own_marks() -> Result<()> {
    let script = Script {
        transcript: "how much is a rhinoplasty".into(),
        rules: vec![
            Rule::when("how much is a rhinoplasty")
                .says("## Prices\n\nA **rhinoplasty** is *usually*:\n\n- from [our list](https://clinic.example/prices)"),
        ],
        ..Script::default()
    };
    let server = FakeModel::start(script).await?;
    let url = server.base_url();
    let clinic = OnWhatsApp::new(&[]).await?;
    let _api = clinic.api().await?;
    let _worker = clinic
        .worker_with(&[
            ("LLM_BASE_URL", url.as_str()),
            ("LLM_API_KEY", "k3y-of-the-test"),
            ("LLM_MODEL", "fake"),
            ("LLM_TRANSCRIPTION_MODEL", "whisper"),
        ])
        .await?;
    let john = Customer::with_phone(JOHN);
    let voice = clinic.meta.line().media.voice();
    // Its first address has ended when it is fetched, and the second one leads to what the model hears.
    clinic.meta.line().media.expire_next(1);
    assert!(clinic.meta.deliver([Message::voice(&john, &voice)]).await);
    let voice = clinic.twilio.line().media.voice();
    let note = twilio::Message::media(&john, std::slice::from_ref(&voice), None);
    assert!(clinic.twilio.deliver(&note).await);
    for line in [clinic.meta.line(), clinic.twilio.line()] {
        let reply = eventually("a reply", async || line.records.accepted_by(JOHN).pop()).await;
        assert_eq!(
            reply.text,
            "*Prices*\n\nA *rhinoplasty* is _usually_:\n\n- from our list (https://clinic.example/prices)"
        );
    }
    let requests = server.requests();
    let heard = requests
        .iter()
        .filter(|request| request.path.ends_with("transcriptions"));
    assert_eq!(heard.count(), 2);
    Ok(())
}
