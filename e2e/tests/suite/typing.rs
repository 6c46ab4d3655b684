//! Visitors see that their message was read and that somebody writes, until the reply is there.

use std::time::{Duration, Instant};

use anyhow::Result;
use bench::whatsapp::fault::Target;
use bench::whatsapp::meta::Message;
use bench::whatsapp::{Customer, Fault, Rule};
use e2e::eventually;
use e2e::phone::OnWhatsApp;
use shared::whatsapp::Provider;
use worker::deliver::Deliveries;
use worker::deliver::typing::{self, LINGER};

use crate::outbox::Outbox;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_marked_as_read_and_somebody_writes_and_trouble_with_that_is_none() -> Result<()> {
    shared::tls::install();
    let outbox = Outbox::new().await?;
    let deliveries = Deliveries::new(outbox.senders.clone())?;
    let address = outbox.address(Provider::Meta, "+16505550001");
    outbox
        .meta
        .line()
        .faults
        .add(Rule::new(Fault::Stall).on(Target::Marks).times(1));
    let _stuck = typing::show(&deliveries, &address, "wamid.0");
    eventually("the first hangs", async || {
        outbox.meta.line().faults.rules().is_empty().then_some(())
    })
    .await;
    let _typing = typing::show(&deliveries, &address, "wamid.1");
    let mark = eventually("it is marked", async || outbox.meta.line().records.marks().pop()).await;
    assert_eq!((mark.message.as_str(), mark.typing), ("wamid.1", true));
    // Twilio has no such thing.
    let _nothing = typing::show(
        &deliveries,
        &outbox.address(Provider::Twilio, "+16505550001"),
        "SM1",
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_writes_for_as_long_as_the_turn_runs_and_no_longer() -> Result<()> {
    shared::tls::install();
    let outbox = Outbox::new().await?;
    let deliveries = Deliveries::new(outbox.senders.clone())?;
    let address = outbox.address(Provider::Meta, "+16505550001");
    let line = outbox.meta.line();
    let pause = Duration::from_millis(50);
    let typing = typing::show_every(&deliveries, &address, "wamid.1", pause);
    let marks = eventually("it is shown again and again", async || {
        let marks = line.records.marks();
        (marks.len() >= 3).then_some(marks)
    })
    .await;
    assert!(marks.iter().all(|mark| mark.typing && mark.message == "wamid.1"));
    typing.end().await;
    let shown = line.records.marks().len();

    // One that is on its way when the turn ends is waited for, but not for long.
    line.faults
        .add(Rule::new(Fault::Slow(1)).on(Target::Marks).times(1));
    typing::show(&deliveries, &address, "wamid.2").end().await;
    assert_eq!(line.records.marks().len(), shown + 1);
    line.faults
        .add(Rule::new(Fault::Stall).on(Target::Marks).times(1));
    let stuck = typing::show(&deliveries, &address, "wamid.3");
    // That it ends at all is the point: the provider never answers.
    let began = Instant::now();
    stuck.end().await;
    assert!(began.elapsed() >= LINGER, "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_seen_to_write_after_the_reply() -> Result<()> {
    let clinic = OnWhatsApp::new(&[]).await?;
    let _api = clinic.api().await?;
    let _worker = clinic.worker().await?;
    let line = clinic.meta.line();
    line.faults
        .add(Rule::new(Fault::Slow(100)).on(Target::Marks).times(1));
    let john = Customer::with_phone("16505551234");
    assert!(clinic.meta.deliver([Message::text(&john, "Hello")]).await);
    let marks = eventually("a reply", async || {
        let replied = !line.records.accepted_by("16505551234").is_empty();
        replied.then(|| line.records.marks())
    })
    .await;
    assert_eq!(marks.len(), 1, "the slow mark is there before the reply");
    Ok(())
}
