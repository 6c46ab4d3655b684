//! Two numbers of one provider: who writes to both has two conversations.

use anyhow::Result;
use bench::whatsapp::meta::Message;
use bench::whatsapp::{Accepted, Customer, FakeMeta, MetaAccount};
use e2e::phone::OnWhatsApp;
use e2e::{eventually, store};
use uuid::Uuid;

const JOHN: &str = "16505551234";

/// Asks at one number, and returns what the customer reads there.
async fn ask(number: &FakeMeta, text: &str) -> Vec<Accepted> {
    let john = Customer::with_phone(JOHN);
    let had = number.line().records.accepted_by(JOHN).len();
    assert!(number.deliver([Message::text(&john, text)]).await);
    eventually("a reply", async || {
        let replies = number.line().records.accepted_by(JOHN);
        (replies.len() > had).then_some(replies)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_to_two_numbers_has_two_conversations_and_each_answers_from_its_own() -> Result<()> {
    let second = FakeMeta::start(MetaAccount {
        phone_number_id: "106540352242923".into(),
        display_phone_number: "15550783882".into(),
        ..MetaAccount::random()
    })
    .await?;
    let account = second.account();
    let file = std::env::temp_dir().join(format!("frontdesk-numbers-{}.toml", Uuid::now_v7()));
    std::fs::write(
        &file,
        format!(
            "[[meta]]\nphone_number_id = \"{}\"\napp_secret = \"{}\"\nverify_token = \"{}\"\naccess_token = \"{}\"\nbase_url = \"{}\"\n",
            account.phone_number_id,
            account.app_secret,
            account.verify_token,
            account.access_token,
            second.base_url()
        ),
    )?;
    let path = file.to_str().expect("a path in Unicode");
    let clinic = OnWhatsApp::new(&[("WHATSAPP_CONFIG", path)]).await?;
    let api = clinic.api().await?;
    let _worker = clinic.worker().await?;
    second
        .line()
        .webhook_to(&format!("{}/webhooks/whatsapp", api.base));

    // Each has a conversation of its own: what the one was told, the other does not know.
    let first = &clinic.meta;
    ask(first, "How much is a rhinoplasty?").await;
    ask(&second, "How much are dental veneers?").await;
    let at_first = ask(first, "And how long does it take?").await;
    let at_second = ask(&second, "And how long does it take?").await;
    for (replies, mine, other) in [
        (at_first, "rhinoplasty", "veneers"),
        (at_second, "veneers", "rhinoplasty"),
    ] {
        assert_eq!(replies.len(), 2, "{replies:?}");
        for reply in replies {
            let text = reply.text.to_lowercase();
            assert!(text.contains(mine) && !text.contains(other), "{text}");
        }
    }
    let db = &clinic.deployment.db;
    assert_eq!(store::count(db, "select count(*) from connections").await, 2);
    assert_eq!(store::count(db, "select count(*) from users").await, 1);
    std::fs::remove_file(&file)?;
    Ok(())
}
