//! What is taken, and what is refused with which code.

use serde_json::json;

use super::*;

fn check(body: &Value) -> Result<Request, i64> {
    validate(body.to_string().as_bytes()).map_err(|(code, _)| code)
}

fn text() -> Value {
    json!({
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": "16505551234", "type": "text",
        "context": {"message_id": "wamid.in"}, "biz_opaque_callback_data": "our-id",
        "text": {"preview_url": false, "body": "Hello"},
    })
}

fn buttons(titles: &[&str]) -> Value {
    let button = |title: &&str| json!({"type": "reply", "reply": {"id": title, "title": title}});
    let buttons: Vec<_> = titles.iter().map(button).collect();
    json!({
        "messaging_product": "whatsapp", "recipient": "IN.2081978709341936", "type": "interactive",
        "interactive": {"type": "button", "body": {"text": "Shall we?"}, "action": {"buttons": buttons}},
    })
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name);
    } else {
        parent.insert(name.to_owned(), value);
    }
    body
}

#[test]
fn what_is_documented_is_taken() {
    let Ok(Request::Message(taken)) = check(&text()) else {
        panic!("the sample is refused");
    };
    assert_eq!((taken.to.as_str(), taken.text.as_str()), ("16505551234", "Hello"));
    assert_eq!(
        (taken.our_id.as_deref(), taken.context.as_deref()),
        (Some("our-id"), Some("wamid.in"))
    );
    let Ok(Request::Message(taken)) = check(&buttons(&["Yes", "No"])) else {
        panic!("buttons are refused");
    };
    assert_eq!(
        (taken.to.as_str(), taken.buttons.len()),
        ("IN.2081978709341936", 2)
    );
    let longest = "ü".repeat(4_096);
    assert!(check(&with(text(), "/text/body", json!(longest))).is_ok());
    let mark = json!({
        "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.in",
        "typing_indicator": {"type": "text"},
    });
    let message = "wamid.in".to_owned();
    assert_eq!(
        check(&mark),
        Ok(Request::Mark {
            message,
            typing: true
        })
    );
    let template = json!({
        "messaging_product": "whatsapp", "to": "16505551234", "type": "template",
        "template": {"name": "we_are_here", "language": {"code": "en_US"}},
    });
    assert!(check(&template).is_ok());
}

#[test]
fn what_meta_refuses_is_refused() {
    let long = |length: usize| json!("x".repeat(length));
    let refused = [
        (with(text(), "/messaging_product", Value::Null), 100),
        (with(text(), "/to", Value::Null), 100),
        (with(text(), "/to", json!("whatsapp:+16505551234")), 131_009),
        (with(text(), "/to", json!(16_505_551_234_u64)), 100),
        (with(text(), "/text/body", long(4_097)), 100),
        (with(text(), "/text/body", json!("")), 100),
        (with(text(), "/text", Value::Null), 131_008),
        (with(text(), "/text/preview_url", json!("no")), 100),
        (with(text(), "/extra", json!(1)), 100),
        (with(text(), "/biz_opaque_callback_data", long(513)), 100),
        (with(text(), "/type", json!("poll")), 131_051),
        (buttons(&[]), 131_009),
        (buttons(&["1", "2", "3", "4"]), 131_009),
        (buttons(&["Yes", "Yes"]), 131_009),
        (buttons(&["a title that is longer than twenty"]), 131_009),
        (
            with(buttons(&["Yes"]), "/interactive/body/text", long(1_025)),
            100,
        ),
        (
            with(buttons(&["Yes"]), "/recipient", json!("16505551234")),
            131_009,
        ),
        (
            json!({"messaging_product": "whatsapp", "status": "delivered", "message_id": "wamid.in"}),
            100,
        ),
        (
            json!({"messaging_product": "whatsapp", "status": "read", "message_id": "SM1"}),
            131_009,
        ),
    ];
    for (body, code) in refused {
        assert_eq!(check(&body), Err(code), "{body}");
    }
    assert!(validate(b"{").is_err());
}
