//! Readers over made-up journals.

use shared::event::{EventData, EventExtra, RESET_STRIDE};
use time::OffsetDateTime;
use uuid::Uuid;

use super::*;

fn event(epoch: u64, seq: u64, content: &str) -> TokenEvent {
    TokenEvent::new(
        epoch,
        seq,
        &EventData::text(content.into(), OffsetDateTime::UNIX_EPOCH),
    )
}

fn last(epoch: u64, seq: u64) -> TokenEvent {
    TokenEvent::new(
        epoch,
        seq,
        &EventData::last(EventExtra::default(), OffsetDateTime::UNIX_EPOCH),
    )
}

/// The events as the journal holds them, from stream sequence 100 on.
fn page(events: &[TokenEvent]) -> Vec<journal::Stored> {
    (100..)
        .zip(events.iter().cloned())
        .map(|(stream_seq, event)| journal::Stored {
            stream_seq,
            at: time::OffsetDateTime::UNIX_EPOCH,
            again: false,
            event,
        })
        .collect()
}

fn reply() -> StoredReply {
    StoredReply {
        id: Uuid::nil(),
        body: "abc".into(),
        first_seq: 1,
        piece_ends: vec![1, 2, 3],
        extra: EventExtra::default(),
        created_at: OffsetDateTime::UNIX_EPOCH,
    }
}

fn text(events: &[TokenEvent]) -> String {
    events.iter().map(|event| event.data().unwrap().content).collect()
}

fn seqs(events: &[TokenEvent]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

#[test]
fn live_events_are_shown_once_and_in_order() {
    let mut reader = Reader::after(0);
    assert_eq!(reader.live(event(1, 1, "a"), 7), Step::Show(event(1, 1, "a")));
    assert_eq!(reader.live(event(1, 1, "a"), 7), Step::Nothing);
    assert_eq!(reader.live(event(1, 3, "c"), 9), Step::LookUp);
    assert_eq!(
        reader.journal_from(),
        8,
        "an event that was not taken is read again"
    );
    let found = reader.journal(page(&[event(1, 2, "b"), event(1, 3, "c"), last(1, 4)]));
    assert_eq!((text(&found.show).as_str(), found.gap), ("bc", false));
    assert!(reader.is_finished());
    assert_eq!(reader.live(event(1, 5, "x"), 12), Step::Nothing);
}

#[test]
fn a_reply_can_be_resumed_from_every_event() {
    let events = [event(1, 1, "a"), event(1, 2, "b"), event(1, 3, "c"), last(1, 4)];
    for shown in 0..=4 {
        let mut reader = Reader::after(shown);
        let found = reader.journal(page(&events));
        assert_eq!(seqs(&found.show), (shown + 1..=4).collect::<Vec<_>>());
        assert!(reader.is_finished());

        let mut reader = Reader::after(shown);
        assert!(!reader.journal(page(&events[..2])).gap);
        for (event, stream_seq) in [(&events[2], 102), (&events[3], 103)] {
            let shown_live = matches!(reader.live(event.clone(), stream_seq), Step::Show(_));
            assert_eq!(shown_live, event.seq > shown);
        }

        let mut reader = Reader::after(shown);
        assert_eq!(
            seqs(&reader.stored(&reply())),
            (shown + 1..=4).collect::<Vec<_>>()
        );
    }
}

#[test]
fn whoever_resumes_knows_the_epochs_of_what_was_said_before() {
    let events = [
        event(1, 1, "a"),
        event(1, 2, "b"),
        event(2, 3, ""),
        // From a worker that had lost its lease.
        event(1, 3, "x"),
        event(1, 4, "y"),
        event(2, 4, "c"),
    ];
    for shown in [0, 2, 3] {
        let found = Reader::after(shown).journal(page(&events));
        assert!(text(&found.show).ends_with('c') && !text(&found.show).contains(['x', 'y']));
    }
}

#[test]
fn where_the_journals_beginning_is_gone_a_reader_that_has_it_goes_on_and_another_asks_for_the_stored_reply() {
    let rest = [event(1, 2, "b"), event(1, 3, "c")];
    for shown in [1, 2] {
        let found = Reader::after(shown).journal(page(&rest));
        assert!(found.progress && !found.gap);
        assert_eq!(
            seqs(&found.show),
            (shown + 1..=3).collect::<Vec<_>>(),
            "after {shown}"
        );
    }
    let mut reader = Reader::after(0);
    let found = reader.journal(page(&rest));
    assert_eq!((found.show.len(), found.progress, found.gap), (0, false, true));
    assert_eq!(text(&reader.stored(&reply())), "abc");
}

#[test]
fn a_stored_reply_finishes_what_was_heard_in_part() {
    let mut reader = Reader::after(0);
    reader.live(event(3, 1, "a"), 1);
    assert_eq!(reader.live(event(3, 3, "c"), 3), Step::LookUp);
    let rest = reader.stored(&reply());
    assert_eq!((text(&rest).as_str(), seqs(&rest)), ("bc", vec![2, 3, 4]));
    assert!(reader.is_finished() && rest[2].is_final);
    assert_eq!(reader.stored(&reply()), []);
}

#[test]
fn a_client_that_has_the_final_event_gets_nothing_more() {
    for shown in [4, 5, 1000] {
        let mut reader = Reader::after(shown);
        let events = [event(1, 1, "a"), event(1, 2, "b"), event(1, 3, "c"), last(1, 4)];
        assert_eq!(reader.journal(page(&events)).show, []);
        assert!(reader.is_finished());
        let mut reader = Reader::after(shown);
        assert_eq!(reader.stored(&reply()), []);
        assert!(reader.is_finished());
    }
}

#[test]
fn a_reset_is_shown_after_a_jump() {
    let mut data = EventData::text(String::new(), OffsetDateTime::UNIX_EPOCH);
    data.extra.reset = true;
    let reset = TokenEvent::new(2, 2 * RESET_STRIDE, &data);
    let mut reader = Reader::after(0);
    reader.live(event(1, 1, "a"), 1);
    assert_eq!(reader.live(reset.clone(), 2), Step::Show(reset.clone()));
    let mut late = Reader::after(1);
    let found = late.journal(page(&[reset, event(2, 2 * RESET_STRIDE + 1, "b")]));
    assert_eq!(found.show.len(), 2);
}

#[test]
fn after_a_restart_of_nats_the_journal_is_read_from_its_start() {
    let mut reader = Reader::after(0);
    reader.live(event(1, 1, "a"), 70);
    assert_eq!(reader.journal_from(), 71);
    reader.forget_places();
    let found = reader.journal(page(&[event(1, 1, "a"), event(1, 2, "b")]));
    assert_eq!(text(&found.show), "b");
}

#[test]
fn a_quiet_reader_looks_ever_less_often() {
    let mut quiet = Quiet::new();
    let waits: Vec<_> = (0..6).map(|_| quiet.next_wait().as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
}
