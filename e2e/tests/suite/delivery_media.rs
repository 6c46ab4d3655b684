//! What visitors send over WhatsApp is fetched with the provider's credentials, and a worker delivers by itself.

use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bench::whatsapp::fault::Target;
use bench::whatsapp::{Fault, Rule};
use sha2::{Digest, Sha256};
use shared::media::{Media, MediaKind};
use shared::whatsapp::Provider;
use worker::deliver::Deliveries;
use worker::deliver::media::{MAX_BYTES, Missing};

use crate::outbox::Outbox;

#[tokio::test(flavor = "multi_thread")]
async fn media_come_from_their_provider_whole_unaltered_and_from_nowhere_else() -> Result<()> {
    shared::tls::install();
    let outbox = Outbox::new().await?;
    let deliveries = Deliveries::new(outbox.senders.clone())?;
    let providers = deliveries.providers().expect("there are senders");
    let (meta, twilio) = (&outbox.meta, &outbox.twilio);
    let number = &outbox.senders.meta[0].phone_number_id;
    let at_meta = |id: &str| Media::new(MediaKind::Audio, format!("meta:{number}/{id}"));

    let voice = meta.line().media.voice();
    let mut sent = at_meta(&voice.id);
    sent.sha256 = Some(STANDARD.encode(Sha256::digest(&voice.bytes)));
    let file = providers.fetch(&sent, MAX_BYTES).await.expect("it is there");
    assert_eq!(
        (file.kind.as_str(), file.bytes),
        ("audio/ogg", voice.bytes.to_vec())
    );

    sent.sha256 = Some(STANDARD.encode(Sha256::digest("another")));
    assert_eq!(providers.fetch(&sent, MAX_BYTES).await, Err(Missing::Altered));
    let large = meta.line().media.add("video/mp4", vec![7; (16 << 20) + 1]);
    assert_eq!(
        providers.fetch(&at_meta(&large), MAX_BYTES).await,
        Err(Missing::TooLarge)
    );
    assert_eq!(
        providers.fetch(&at_meta("1"), MAX_BYTES).await,
        Err(Missing::Unavailable)
    );
    assert_eq!(
        providers.fetch(&at_meta("../1/messages"), MAX_BYTES).await,
        Err(Missing::NotOurs)
    );

    // An address that has expired is asked for again, once.
    meta.line().media.expire_next(1);
    let file = providers.fetch(&at_meta(&voice.id), MAX_BYTES).await;
    assert_eq!(file.expect("the second one is good").bytes, voice.bytes.to_vec());
    meta.line().media.set_lifetime(Duration::ZERO);
    meta.line()
        .faults
        .add(Rule::new(Fault::None).on(Target::Media).times(3));
    assert_eq!(
        providers.fetch(&at_meta(&voice.id), MAX_BYTES).await,
        Err(Missing::Unavailable)
    );
    assert_eq!(
        meta.line().faults.rules()[0].times,
        Some(1),
        "two of three are used"
    );

    let sender = &outbox.senders.twilio[0];
    let picture = twilio.line().media.picture();
    let address = |base: &str| {
        let (from, account) = (&sender.from, &sender.account_sid);
        let url = format!(
            "{base}/2010-04-01/Accounts/{account}/Messages/MM1/Media/ME{}",
            picture.id
        );
        Media::new(MediaKind::Media, format!("twilio:{from}/{url}"))
    };
    let file = providers
        .fetch(&address(&sender.base_url), MAX_BYTES)
        .await
        .expect("it is there");
    assert_eq!(
        (file.kind.as_str(), file.bytes),
        ("image/png", picture.bytes.to_vec())
    );
    // Whoever could write an address would else be sent our credentials.
    for elsewhere in [
        "http://127.0.0.1:9",
        "https://api.twilio.com.evil.example",
        &meta.base_url(),
    ] {
        assert_eq!(
            providers.fetch(&address(elsewhere), MAX_BYTES).await,
            Err(Missing::NotOurs),
            "{elsewhere}"
        );
    }
    let foreign = Media::new(MediaKind::Media, "meta:999/1");
    assert_eq!(providers.fetch(&foreign, MAX_BYTES).await, Err(Missing::NotOurs));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_delivers_by_itself_and_tells_operators_what_it_could_not_without_names() -> Result<()> {
    let outbox = Outbox::new().await?;
    let (account, base) = (outbox.meta.account(), outbox.meta.base_url());
    let env = [
        ("META_PHONE_NUMBER_ID", account.phone_number_id.as_str()),
        ("META_APP_SECRET", &account.app_secret),
        ("META_VERIFY_TOKEN", &account.verify_token),
        ("META_ACCESS_TOKEN", &account.access_token),
        ("META_BASE_URL", &base),
        ("DEBUG", "true"),
    ];
    let (good, bad, stranger) = ("+16505550001", "+16505550002", "+16505550003");
    for (phone, code) in [(bad, 131_026), (stranger, 131_047)] {
        outbox.meta.line().faults.next_to(phone, Fault::Error(code));
    }
    let worker = outbox.deployment.worker_with(&env).await?;
    let mut ids = Vec::new();
    for phone in [good, bad, stranger] {
        ids.push(
            outbox
                .put(
                    &outbox.address(Provider::Meta, phone),
                    &["Your secret appointment"],
                )
                .await?[0],
        );
    }
    for (id, status) in ids.iter().zip(["sent", "failed", "held"]) {
        outbox.becomes(*id, status).await;
    }
    let mut command = outbox.deployment.command("worker", &["undelivered"]).await?;
    assert!(command.ended().await.success(), "{}", command.log());
    let listed = command.log();
    for line in [
        format!("{} status=failed error=131026", ids[1]),
        format!("{} status=held error=131047", ids[2]),
    ] {
        assert!(listed.contains(&line), "{line} is not in: {listed}");
    }
    assert!(!listed.contains(&ids[0].to_string()), "{listed}");
    let log = worker.log();
    assert!(log.contains("message sent") && log.contains("131026"), "{log}");
    for private in ["1650555", "secret appointment", "wamid", &account.access_token] {
        assert!(
            !log.contains(private) && !listed.contains(private),
            "{private}: {log}"
        );
    }
    Ok(())
}
