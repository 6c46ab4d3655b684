//! Twilio's forms, retyped.

use shared::config::Secret;
use shared::envelope::Envelope;

use super::*;

const OURS: &str = "+15550783881";
const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn fields(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual = [
        ("MessageSid", "SM1"),
        ("From", "whatsapp:+16505551234"),
        ("To", "whatsapp:+15550783881"),
        ("WaId", "16505551234"),
        ("ProfileName", "Sheena Nelson"),
        ("SmsStatus", "received"),
        ("Tomorrow", "unknown"),
    ];
    let kept = usual
        .iter()
        .filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    kept.chain(more).map(owned).collect()
}

fn read_form(more: &[(&str, &str)], delivery: Option<Uuid>) -> Contents {
    let sender = TwilioSender {
        from: OURS.into(),
        account_sid: "AC1".into(),
        auth_token: Secret::from("token".to_owned()),
        base_url: "https://api.twilio.com".into(),
        public_url: "https://chat.example".into(),
    };
    let body = Bytes::from_static(b"the body");
    read(&body, &fields(more), delivery, &[&sender], NOW)
}

fn only(more: &[(&str, &str)]) -> Envelope {
    let contents = read_form(more, None);
    let ([message], [], []) = (&contents.messages[..], &contents.statuses[..], &contents.dead[..]) else {
        panic!("{contents:?}");
    };
    message.clone()
}

#[test]
fn a_text_comes_with_who_wrote_it_and_to_which_number() {
    let message = only(&[("Body", "Do you have a date in May?"), ("NumMedia", "0")]);
    assert_eq!(message.content, "Do you have a date in May?");
    assert_eq!(message.phone_number, "+16505551234");
    assert_eq!(message.device, "+15550783881:+16505551234");
    let whatsapp = message.whatsapp.unwrap();
    assert_eq!(whatsapp.address.sender_key().to_string(), "twilio:+15550783881");
    assert_eq!((whatsapp.provider_id.as_str(), whatsapp.sent_at), ("SM1", NOW));
    assert_eq!(message.request_id, whatsapp.address.request("SM1"));
}

#[test]
fn buttons_places_and_files_are_read_as_what_a_person_would_see() {
    for (fields, content) in [
        (
            &[("ButtonText", "Yes"), ("ButtonPayload", "y"), ("Body", "Yes")][..],
            "Yes",
        ),
        (&[("ButtonPayload", "y")], "y"),
        (
            &[("Latitude", "41.0082"), ("Longitude", "28.9784")],
            "📍 41.0082, 28.9784",
        ),
        (
            &[
                ("Body", "Here"),
                ("Latitude", "41"),
                ("Longitude", "28"),
                ("Label", "Taksim"),
                ("Address", "Istanbul"),
            ],
            "Here\n📍 41, 28 (Taksim, Istanbul)",
        ),
    ] {
        let message = only(fields);
        assert_eq!((message.content.as_str(), &message.media[..]), (content, &[][..]));
    }
    let url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/SM1/Media/ME1";
    let message = only(&[
        ("NumMedia", "2"),
        ("MediaUrl0", url),
        ("MediaContentType0", "audio/ogg"),
        ("MediaUrl1", url),
        ("MediaContentType1", "image/jpeg"),
    ]);
    let file = |kind, mime: &str| Media {
        mime_type: Some(mime.into()),
        ..Media::new(kind, format!("twilio:{OURS}/{url}"))
    };
    let files = [
        file(MediaKind::Audio, "audio/ogg"),
        file(MediaKind::Media, "image/jpeg"),
    ];
    assert_eq!((message.content.as_str(), &message.media[..]), ("", &files[..]));
}

#[test]
fn what_nobody_can_read_is_a_message_all_the_same_and_a_reaction_is_none() {
    for fields in [
        &[][..],
        &[("Body", "")],
        &[("NumMedia", "1")],
        &[("Body", " \0")],
        &[("Latitude", "north"), ("Longitude", "1")],
        &[("NumMedia", "1"), ("MediaUrl0", "file:///etc/passwd")],
    ] {
        let message = only(fields);
        assert_eq!(
            message.media,
            [Media::new(MediaKind::Unreadable, "")],
            "{fields:?}"
        );
    }
    let reaction = read_form(&[("MessageType", "reaction"), ("Body", "👍")], None);
    assert_eq!((reaction.is_empty(), reaction.ignored), (true, 1));
}

#[test]
fn a_status_names_our_message_and_only_what_has_happened_is_one() {
    let ours = Uuid::from_u128(7);
    let status = |word: &str, more: &[(&str, &str)]| {
        let usual = [
            ("MessageStatus", word),
            ("From", "whatsapp:+15550783881"),
            ("To", "whatsapp:+16505551234"),
        ];
        read_form(&[more, &usual].concat(), Some(ours))
    };
    for (word, state) in [
        ("sent", DeliveryState::Sent),
        ("delivered", DeliveryState::Delivered),
        ("read", DeliveryState::Read),
        ("undelivered", DeliveryState::Failed),
        ("failed", DeliveryState::Failed),
    ] {
        let contents = status(word, &[("ErrorCode", "63016")]);
        assert!(contents.messages.is_empty());
        let [status] = &contents.statuses[..] else {
            panic!("{word}")
        };
        assert_eq!(
            (status.state, status.delivery, status.code),
            (state, Some(ours), Some(63016))
        );
        assert_eq!(status.provider_id, "SM1");
    }
    for word in ["queued", "sending", "accepted", "scheduled", "tomorrow"] {
        let contents = status(word, &[]);
        assert_eq!((contents.is_empty(), contents.ignored), (true, 1), "{word}");
    }
    let theirs = status("sent", &[("From", "whatsapp:+15550000000")]);
    assert!(theirs.is_empty());
}

#[test]
fn what_is_none_of_ours_or_of_no_shape_is_kept() {
    for (fields, reason) in [
        (&[("To", "whatsapp:+15550000000")][..], Reason::NotOurNumber),
        (&[("From", "+16505551234")], Reason::UnknownShape),
        (&[("To", "+15550783881")], Reason::UnknownShape),
        (&[("MessageSid", "")], Reason::UnknownShape),
    ] {
        let contents = read_form(fields, None);
        assert!(contents.messages.is_empty(), "{fields:?}");
        let [dead] = &contents.dead[..] else {
            panic!("{fields:?}")
        };
        assert_eq!(
            (dead.reason, &dead.payload[..]),
            (reason, &b"the body"[..]),
            "{fields:?}"
        );
    }
}
