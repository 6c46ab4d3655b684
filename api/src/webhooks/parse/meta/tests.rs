//! Meta's payloads, retyped: every type, every part of a batch, and what is none of ours.

use serde_json::json;
use shared::config::Secret;
use shared::envelope::Envelope;
use shared::ids::RequestId;
use shared::media::{Media, MediaKind};

use super::*;

const NUMBER: &str = "106540352242922";
const WAMID: &str = "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=";
const NOW: OffsetDateTime = time::macros::datetime!(2025-06-10 12:00 UTC);

fn number(id: &str) -> MetaSender {
    let secret = || Secret::from("secret".to_owned());
    MetaSender {
        phone_number_id: id.into(),
        app_secret: secret(),
        verify_token: secret(),
        access_token: secret(),
        base_url: "http://meta".into(),
        api_version: "v23.0".into(),
        template: None,
    }
}

fn read_all(body: &Value) -> Contents {
    let body = Bytes::from(body.to_string());
    read(&body, &[&number(NUMBER)], NOW)
}

/// A change of the field `messages`.
fn change(value: Value) -> Value {
    let mut whole = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER},
        "contacts": [{"profile": {"name": "Sheena Nelson"}, "wa_id": "16505551234"}],
    });
    let Value::Object(more) = value else { panic!() };
    whole.as_object_mut().unwrap().extend(more);
    json!({"field": "messages", "value": whole})
}

fn body(changes: &[Value]) -> Value {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]})
}

/// A message with the usual fields and those of `more`.
fn message(more: Value) -> Value {
    let mut message = json!({"from": "16505551234", "id": WAMID, "timestamp": "1749416383"});
    let Value::Object(more) = more else { panic!() };
    message.as_object_mut().unwrap().extend(more);
    message
}

fn read_one(message: Value) -> Contents {
    read_all(&body(&[change(json!({"messages": [message]}))]))
}

/// The only message, which is all there is.
fn only(contents: Contents) -> Envelope {
    let [message] = &contents.messages[..] else {
        panic!("{contents:?}");
    };
    let rest = (&contents.statuses[..], &contents.dead[..], contents.ignored);
    assert_eq!(rest, (&[][..], &[][..], 0));
    message.clone()
}

fn text(id: &str, seconds: i64, text: &str) -> Value {
    message(json!({"id": id, "timestamp": seconds.to_string(), "type": "text", "text": {"body": text}}))
}

#[test]
fn a_text_comes_with_who_wrote_it_when_and_to_which_number() {
    let message = only(read_one(message(
        json!({"type": "text", "text": {"body": "Do you have a date in May?"}}),
    )));
    assert_eq!(message.content, "Do you have a date in May?");
    assert_eq!(message.phone_number, "+16505551234");
    assert_eq!(message.device, format!("{NUMBER}:+16505551234"));
    assert!(!message.verified);
    let whatsapp = message.whatsapp.unwrap();
    assert_eq!(
        serde_json::to_value(&whatsapp.address).unwrap(),
        json!({"provider": "meta", "sender": NUMBER, "phone": "+16505551234"})
    );
    assert_eq!(whatsapp.provider_id, WAMID);
    assert_eq!(whatsapp.sent_at.unix_timestamp(), 1_749_416_383);
    assert_eq!(whatsapp.change, Change::New);
    assert_eq!(message.session, whatsapp.address.session());
    assert_eq!(
        message.request_id,
        RequestId::from_key(message.session, WAMID),
        "a repetition is the same request"
    );
}

#[test]
fn every_type_is_read_as_what_a_person_would_see() {
    for (said, content) in [
        (
            json!({"type": "button", "button": {"payload": "p", "text": "Yes, please"}}),
            "Yes, please",
        ),
        (json!({"type": "button", "button": {"payload": "p"}}), "p"),
        (
            json!({"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}}),
            "Yes",
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "Hair transplant"}}}),
            "Hair transplant",
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent",
                "response_json": "{\"flow_token\":\"t\",\"city\":\"Berlin\",\"guests\":2,\"more\":{\"car\":true,\"none\":null}}"}}}),
            "city: Berlin\nguests: 2\ncar: yes",
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"body": "Sent"}}}),
            "Sent",
        ),
        (
            json!({"type": "location", "location": {"latitude": 41.0082, "longitude": 28.9784, "name": "Hagia Sophia", "address": "Istanbul"}}),
            "📍 41.0082, 28.9784 (Hagia Sophia, Istanbul)",
        ),
        (
            json!({"type": "contacts", "contacts": [
                {"name": {"formatted_name": "Jane Doe"}, "phones": [{"phone": "+1 650 555 1234"}, {"wa_id": "16505551235"}]},
                {"name": {"first_name": "John"}}, {"vcard": "x", "phones": [{"phone": "+49 30 1"}]}, {}]}),
            "Jane Doe: +1 650 555 1234, 16505551235\nJohn\n+49 30 1",
        ),
        (json!({"type": "text", "text": {"body": "a\u{0}b"}}), "ab"),
    ] {
        let message = only(read_one(message(said.clone())));
        assert_eq!(
            (message.content.as_str(), &message.media[..]),
            (content, &[][..]),
            "{said}"
        );
    }
}

#[test]
fn files_come_with_what_is_known_of_them_and_a_voice_note_is_heard() {
    let file = |kind, mime: &str| Media {
        mime_type: Some(mime.into()),
        sha256: Some("c2hh".into()),
        ..Media::new(kind, format!("meta:{NUMBER}/123"))
    };
    for (kind, mime, expected) in [
        ("audio", "audio/ogg; codecs=opus", MediaKind::Audio),
        ("image", "image/jpeg", MediaKind::Media),
        ("video", "video/mp4", MediaKind::Media),
        ("sticker", "image/webp", MediaKind::Media),
    ] {
        let part = json!({"id": "123", "mime_type": mime, "sha256": "c2hh", "voice": true});
        let message = only(read_one(message(json!({"type": kind, kind: part}))));
        assert_eq!(
            (message.content.as_str(), &message.media),
            ("", &vec![file(expected, mime)])
        );
    }
    let document = json!({"id": "123", "mime_type": "application/pdf", "sha256": "c2hh", "caption": "My x-ray",
        "filename": "x-ray.pdf"});
    let message = only(read_one(message(
        json!({"type": "document", "document": document}),
    )));
    assert_eq!(message.content, "My x-ray");
    assert_eq!(message.media[0].filename.as_deref(), Some("x-ray.pdf"));
}

#[test]
fn what_nobody_can_read_is_a_message_all_the_same_and_a_reaction_is_none() {
    for (said, beside) in [
        (json!({"type": "unsupported", "errors": [{"code": 131051}]}), ""),
        (
            json!({"type": "order", "order": {"catalog_id": "c", "text": "Two, please"}}),
            "Two, please",
        ),
        (json!({"type": "hologram", "hologram": {}}), ""),
        (json!({"type": "text"}), ""),
        (json!({"type": "text", "text": {"body": " \u{0}"}}), ""),
        (
            json!({"type": "image", "image": {"id": "../me", "caption": "Look"}}),
            "Look",
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "call_permission_reply"}}),
            "",
        ),
        (json!({"type": "contacts", "contacts": [{}]}), ""),
        (json!({}), ""),
    ] {
        let message = only(read_one(message(said.clone())));
        let unreadable = [Media::new(MediaKind::Unreadable, "")];
        assert_eq!(
            (message.content.as_str(), &message.media[..]),
            (beside, &unreadable[..]),
            "{said}"
        );
    }
    for kind in ["reaction", "system", "request_welcome"] {
        let contents = read_one(message(json!({"type": kind, kind: {"emoji": "👍"}})));
        assert_eq!((contents.is_empty(), contents.ignored), (true, 1), "{kind}");
    }
}

#[test]
fn an_edit_and_a_revocation_name_the_message_that_they_change() {
    let first = only(read_one(text("wamid.1", 1, "May")));
    let edited =
        json!({"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "June"}}});
    let edit = only(read_one(message(
        json!({"id": "wamid.2", "type": "edit", "edit": edited}),
    )));
    assert_eq!((edit.content.as_str(), edit.session), ("June", first.session));
    assert_eq!(
        edit.whatsapp.unwrap().change,
        Change::Edit { of: first.request_id }
    );
    let revoke = json!({"original_message_id": "wamid.1"});
    let revoke = only(read_one(message(
        json!({"id": "wamid.3", "type": "revoke", "revoke": revoke}),
    )));
    assert_eq!((revoke.content.as_str(), &revoke.media[..]), ("", &[][..]));
    assert_eq!(
        revoke.whatsapp.unwrap().change,
        Change::Revoke { of: first.request_id }
    );

    // What cannot be read must not take away what could.
    for broken in [
        json!({"type": "edit", "edit": {"original_message_id": "wamid.1"}}),
        json!({"type": "edit", "edit": {"message": {"type": "text", "text": {"body": "x"}}}}),
        json!({"type": "revoke"}),
    ] {
        let contents = read_one(message(broken));
        assert!(contents.messages.is_empty());
        assert_eq!(contents.dead[0].reason, Reason::UnknownShape);
        assert_eq!(
            contents.dead[0].session,
            Some(first.session),
            "an erasure finds it"
        );
    }
}

#[test]
fn somebody_without_a_number_is_known_by_an_id() {
    let said = json!({"id": "wamid.1", "timestamp": "1", "type": "text", "text": {"body": "Hi"}});
    let mut named = said.clone();
    named["from_user_id"] = json!("IN.2081978709");
    let contact = json!([{"profile": {"name": "S", "username": "@s"}, "user_id": "IN.2081978709"}]);
    for message in [named, said.clone()] {
        let value = json!({"contacts": contact, "messages": [message]});
        let message = only(read_all(&body(&[change(value)])));
        assert_eq!(message.phone_number, "whatsapp:IN.2081978709");
        assert_eq!(
            message.whatsapp.unwrap().address.to,
            Recipient::UserId("IN.2081978709".into())
        );
    }
    let nobody = read_all(&body(&[change(json!({"contacts": [], "messages": [said]}))]));
    assert_eq!((nobody.messages.len(), nobody.dead.len()), (0, 1));
}

#[test]
fn every_entry_change_message_and_status_counts_and_messages_come_in_their_order() {
    let status = |id: &str, word: &str| json!({"id": id, "status": word, "timestamp": "5", "recipient_id": "16505551234"});
    let first = change(json!({
        "messages": [text("wamid.3", 30, "three"), text("wamid.1", 10, "one")],
        "statuses": [status("wamid.x", "sent"), status("wamid.x", "read")],
    }));
    let second = change(json!({"messages": [text("wamid.1b", 10, "one b")]}));
    let third = change(
        json!({"messages": [text("wamid.2", 20, "two")], "statuses": [status("wamid.y", "delivered")]}),
    );
    let mut whole = body(&[first, second]);
    let entries = whole["entry"].as_array_mut().unwrap();
    entries.push(json!({"id": "2", "changes": [third]}));
    let contents = read_all(&whole);
    let texts: Vec<_> = contents
        .messages
        .iter()
        .map(|message| message.content.as_str())
        .collect();
    assert_eq!(texts, ["one", "one b", "two", "three"]);
    assert_eq!(contents.statuses.len(), 3);
    assert_eq!((contents.dead.len(), contents.ignored), (0, 0));
}

#[test]
fn a_status_names_our_message_and_why_it_failed() {
    let ours = Uuid::from_u128(7);
    let failed = json!({"id": "wamid.x", "status": "failed", "timestamp": "1749416383", "recipient_id": "16505551234",
        "biz_opaque_callback_data": ours.to_string(), "errors": [{"code": 131_047, "title": "Re-engagement message"}]});
    let word = |word: &str| json!({"id": "wamid.x", "status": word, "timestamp": "1", "biz_opaque_callback_data": "other"});
    let statuses = [failed, word("played"), word("deleted"), json!({"status": "sent"})];
    let contents = read_all(&body(&[change(json!({"statuses": statuses}))]));
    assert_eq!(
        contents.statuses[0],
        Status {
            provider: Provider::Meta,
            provider_id: "wamid.x".into(),
            delivery: Some(ours),
            state: DeliveryState::Failed,
            code: Some(131_047),
            at: OffsetDateTime::from_unix_timestamp(1_749_416_383).unwrap(),
        }
    );
    let second = &contents.statuses[1];
    assert_eq!((second.state, second.delivery), (DeliveryState::Read, None));
    assert_eq!(
        (contents.statuses.len(), contents.ignored, contents.dead.len()),
        (2, 1, 1)
    );
}

#[test]
fn a_person_who_answers_from_the_phone_is_never_a_visitor() {
    let echo = json!({"from": "15550783881", "to": "16505551234", "id": "wamid.e", "timestamp": "1", "type": "text",
        "text": {"body": "I take over"}});
    for field in NOT_FOR_US {
        let change = json!({"field": field, "value": {
            "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER}, "message_echoes": [echo]}});
        let contents = read_all(&body(&[change]));
        assert_eq!((contents.is_empty(), contents.ignored), (true, 1), "{field}");
    }
    for shown in ["15550783881", "+1 555-078-3881"] {
        let mut change = change(json!({"messages": [echo]}));
        change["value"]["metadata"]["display_phone_number"] = json!(shown);
        let contents = read_all(&body(&[change]));
        assert_eq!((contents.is_empty(), contents.ignored), (true, 1), "{shown}");
    }
}

#[test]
fn another_number_is_not_ours_also_where_the_signature_is_right() {
    let mut theirs = change(json!({"messages": [text("wamid.1", 1, "Hi")]}));
    theirs["value"]["metadata"]["phone_number_id"] = json!("999");
    let ours = change(json!({"messages": [text("wamid.2", 2, "Hello")]}));
    let contents = read_all(&body(&[theirs.clone(), ours]));
    assert_eq!(contents.messages.len(), 1);
    let [dead] = &contents.dead[..] else { panic!() };
    assert_eq!((dead.reason, dead.session), (Reason::NotOurNumber, None));
    assert_eq!(serde_json::from_slice::<Value>(&dead.payload).unwrap(), theirs);
}

#[test]
fn what_nobody_knows_is_kept_and_the_rest_goes_on() {
    let nothing = read_all(&json!({"object": "whatsapp_business_account", "entry": []}));
    assert_eq!(nothing, Contents::default());
    for (whole, reason) in [
        (json!({"object": "page", "entry": []}), Reason::UnknownShape),
        (
            json!({"object": "whatsapp_business_account"}),
            Reason::UnknownShape,
        ),
        (json!(["a"]), Reason::UnknownShape),
        (
            json!({"object": "whatsapp_business_account", "entry": [{}]}),
            Reason::UnknownShape,
        ),
        (
            body(&[json!({"field": "account_update", "value": {}})]),
            Reason::UnknownShape,
        ),
        (body(&[json!({"field": "messages"})]), Reason::UnknownShape),
        (body(&[change(json!({"messages": "x"}))]), Reason::UnknownShape),
        (body(&[change(json!({"messages": [1]}))]), Reason::UnknownShape),
        (
            body(&[change(
                json!({"messages": [{"from": "16505551234", "type": "text"}]}),
            )]),
            Reason::UnknownShape,
        ),
        (
            body(&[change(
                json!({"messages": [message(json!({"group_id": "g", "type": "text", "text": {"body": "x"}}))]}),
            )]),
            Reason::Group,
        ),
    ] {
        let contents = read_all(&whole);
        assert_eq!((contents.messages.len(), contents.dead.len()), (0, 1), "{whole}");
        assert_eq!(contents.dead[0].reason, reason, "{whole}");
    }
    let broken = read(&Bytes::from_static(b"{"), &[&number(NUMBER)], NOW);
    assert_eq!(broken.dead[0].reason, Reason::Unparseable);
    let complaint = read_all(&body(&[change(json!({"errors": [{"code": 130_429}]}))]));
    assert_eq!(
        (complaint.is_empty(), &complaint.complaints[..]),
        (true, &[130_429][..])
    );
}

#[test]
fn a_time_that_cannot_be_is_now() {
    for wrong in [
        json!("soon"),
        json!(null),
        json!("1749416383000"),
        json!("99999999999999999999"),
        json!("1999999999"),
    ] {
        let message = only(read_one(message(
            json!({"timestamp": wrong, "type": "text", "text": {"body": "Hi"}}),
        )));
        assert_eq!(message.whatsapp.unwrap().sent_at, NOW, "{wrong}");
    }
}

#[test]
fn half_an_emoji_costs_neither_the_message_that_has_it_nor_the_others_of_its_batch() {
    let status = json!({"id": WAMID, "status": "read", "timestamp": "1749416383"});
    let messages = [text("wamid.1", 1, "cut ?"), text("wamid.2", 2, r"it is \ud83d")];
    let whole = body(&[change(json!({"messages": messages, "statuses": [status]}))]).to_string();
    let cut = |whole: &str| Bytes::from(whole.replace("cut ?", r"cut \ud83d"));
    let contents = read(&cut(&whole), &[&number(NUMBER)], NOW);
    let said: Vec<&str> = contents
        .messages
        .iter()
        .map(|message| &*message.content)
        .collect();
    assert_eq!(said, ["cut \u{fffd}", r"it is \ud83d"]);
    assert_eq!((contents.statuses.len(), contents.dead.len()), (1, 0));

    let broken = cut(&whole[..whole.len() - 1]);
    let contents = read(&broken, &[&number(NUMBER)], NOW);
    assert_eq!(
        contents,
        Contents::dead(Reason::Unparseable, broken),
        "as it came"
    );
}
