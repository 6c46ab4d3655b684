//! What Meta takes: as strict as its documents, so that what passes here passes there.

use serde_json::{Map, Value};

/// A request that is in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// A message.
    Message(Outgoing),
    /// A read mark.
    Mark {
        /// The customer's message.
        message: String,
        /// With a typing indicator.
        typing: bool,
    },
}

/// A message to a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Digits, or a user id.
    pub to: String,
    /// `text`, `interactive` or `template`.
    pub kind: String,
    /// Its text; of a template its name.
    pub text: String,
    /// (id, title).
    pub buttons: Vec<(String, String)>,
    /// The message that it answers.
    pub context: Option<String>,
    /// `biz_opaque_callback_data`.
    pub our_id: Option<String>,
}

/// Why not: Meta's code and its details.
pub type Refusal = (i64, String);

type Object = Map<String, Value>;

const MISSING: i64 = 131_008;
const INVALID: i64 = 100;
const VALUE: i64 = 131_009;

/// Looks at the body of `POST /{version}/{phone number id}/messages`.
///
/// # Errors
/// The code and the details that it is refused with.
pub fn validate(body: &[u8]) -> Result<Request, Refusal> {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| (INVALID, "The body is not valid JSON.".to_owned()))?;
    let body = body
        .as_object()
        .ok_or_else(|| (INVALID, "The body is not an object.".to_owned()))?;
    if body.get("messaging_product").and_then(Value::as_str) != Some("whatsapp") {
        return Err((
            INVALID,
            "(#100) The parameter messaging_product is required.".to_owned(),
        ));
    }
    if body.contains_key("status") {
        return mark(body);
    }
    let mut outgoing = Outgoing {
        to: recipient(body)?,
        kind: body
            .get("type")
            .map_or(Ok("text"), |_| string(body, "type", 1..=20))?
            .to_owned(),
        ..Outgoing::default()
    };
    let own: &str = match outgoing.kind.as_str() {
        kind @ ("text" | "interactive" | "template") => kind,
        kind => {
            return Err((
                131_051,
                format!("The simulator does not know the message type {kind}."),
            ));
        }
    };
    known(
        body,
        &[
            "messaging_product",
            "recipient_type",
            "to",
            "recipient",
            "type",
            "context",
            "biz_opaque_callback_data",
            own,
        ],
    )?;
    if body
        .get("recipient_type")
        .is_some_and(|kind| kind != "individual")
    {
        return Err((
            INVALID,
            "Param recipient_type must be one of {individual}.".to_owned(),
        ));
    }
    if body.contains_key("biz_opaque_callback_data") {
        outgoing.our_id = Some(string(body, "biz_opaque_callback_data", 1..=512)?.to_owned());
    }
    if body.contains_key("context") {
        let context = object(body, "context")?;
        known(context, &["message_id"])?;
        outgoing.context = Some(string(context, "message_id", 1..=512)?.to_owned());
    }
    let content = object(body, own)?;
    match own {
        "text" => {
            known(content, &["preview_url", "body"])?;
            if content
                .get("preview_url")
                .is_some_and(|value| !value.is_boolean())
            {
                return Err((INVALID, "Param text['preview_url'] must be a boolean.".to_owned()));
            }
            string(content, "body", 1..=4_096)?.clone_into(&mut outgoing.text);
        }
        "interactive" => interactive(content, &mut outgoing)?,
        _ => template(content, &mut outgoing)?,
    }
    Ok(Request::Message(outgoing))
}

fn mark(body: &Object) -> Result<Request, Refusal> {
    known(
        body,
        &["messaging_product", "status", "message_id", "typing_indicator"],
    )?;
    if string(body, "status", 1..=20)? != "read" {
        return Err((INVALID, "Param status must be one of {read}.".to_owned()));
    }
    let message = string(body, "message_id", 1..=512)?;
    if !message.starts_with("wamid.") {
        return Err((VALUE, "Message id is not valid.".to_owned()));
    }
    let typing = body.contains_key("typing_indicator");
    if typing {
        let indicator = object(body, "typing_indicator")?;
        known(indicator, &["type"])?;
        if string(indicator, "type", 1..=20)? != "text" {
            return Err((
                INVALID,
                "Param typing_indicator['type'] must be one of {text}.".to_owned(),
            ));
        }
    }
    Ok(Request::Mark {
        message: message.to_owned(),
        typing,
    })
}

fn recipient(body: &Object) -> Result<String, Refusal> {
    // With both, Meta takes the number.
    if body.contains_key("to") {
        let to = string(body, "to", 1..=40)?.trim_start_matches('+');
        let number = (7..=15).contains(&to.len()) && to.bytes().all(|byte| byte.is_ascii_digit());
        return if number {
            Ok(to.to_owned())
        } else {
            Err((VALUE, "Recipient phone number is not valid.".to_owned()))
        };
    }
    if body.contains_key("recipient") {
        let user_id = string(body, "recipient", 1..=150)?;
        let parts = user_id.split_once('.');
        let valid = parts.is_some_and(|(country, id)| {
            country.len() == 2
                && country.bytes().all(|byte| byte.is_ascii_uppercase())
                && !id.is_empty()
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        });
        return if valid {
            Ok(user_id.to_owned())
        } else {
            Err((VALUE, "Recipient user id is not valid.".to_owned()))
        };
    }
    Err((INVALID, "(#100) The parameter to is required.".to_owned()))
}

fn interactive(content: &Object, outgoing: &mut Outgoing) -> Result<(), Refusal> {
    known(content, &["type", "header", "body", "footer", "action"])?;
    if string(content, "type", 1..=40)? != "button" {
        return Err((
            131_051,
            "The simulator knows interactive messages of type button only.".to_owned(),
        ));
    }
    string(object(content, "body")?, "text", 1..=1_024)?.clone_into(&mut outgoing.text);
    if content.contains_key("footer") {
        string(object(content, "footer")?, "text", 1..=60)?;
    }
    if content.contains_key("header") {
        string(object(content, "header")?, "text", 1..=60)?;
    }
    let action = object(content, "action")?;
    known(action, &["buttons"])?;
    let buttons = action.get("buttons").and_then(Value::as_array);
    let buttons = buttons.filter(|buttons| (1..=3).contains(&buttons.len()));
    let Some(buttons) = buttons else {
        return Err((
            VALUE,
            "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3".to_owned(),
        ));
    };
    for button in buttons {
        let button = button
            .as_object()
            .ok_or_else(|| (INVALID, "A button is not an object.".to_owned()))?;
        known(button, &["type", "reply"])?;
        if string(button, "type", 1..=20)? != "reply" {
            return Err((INVALID, "The type of a button must be reply.".to_owned()));
        }
        let reply = object(button, "reply")?;
        known(reply, &["id", "title"])?;
        let id = string(reply, "id", 1..=256)?;
        let title = string(reply, "title", 1..=20).map_err(|_| {
            (
                VALUE,
                "Button title length invalid. Min length: 1, Max length: 20".to_owned(),
            )
        })?;
        if outgoing
            .buttons
            .iter()
            .any(|(other, named)| other == id || named == title)
        {
            return Err((VALUE, "Duplicated title or id between buttons.".to_owned()));
        }
        outgoing.buttons.push((id.to_owned(), title.to_owned()));
    }
    Ok(())
}

fn template(content: &Object, outgoing: &mut Outgoing) -> Result<(), Refusal> {
    known(content, &["name", "language", "components"])?;
    let name = string(content, "name", 1..=512)?;
    let language = string(object(content, "language")?, "code", 2..=10)?;
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if !plain(name) || !plain(language) {
        return Err((
            132_001,
            format!("template name ({name}) does not exist in {language}"),
        ));
    }
    if content
        .get("components")
        .is_some_and(|components| !components.is_array())
    {
        return Err((
            INVALID,
            "Param template['components'] must be an array.".to_owned(),
        ));
    }
    name.clone_into(&mut outgoing.text);
    Ok(())
}

fn known(object: &Object, names: &[&str]) -> Result<(), Refusal> {
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err((INVALID, format!("(#100) Unexpected key \"{key}\"."))),
        None => Ok(()),
    }
}

fn object<'a>(parent: &'a Object, name: &str) -> Result<&'a Object, Refusal> {
    match parent.get(name) {
        None => Err((MISSING, format!("The parameter {name} is required."))),
        Some(value) => value
            .as_object()
            .ok_or_else(|| (INVALID, format!("Param {name} must be a JSON object."))),
    }
}

/// A string with so many characters.
fn string<'a>(
    parent: &'a Object,
    name: &str,
    length: std::ops::RangeInclusive<usize>,
) -> Result<&'a str, Refusal> {
    let value = parent
        .get(name)
        .ok_or_else(|| (MISSING, format!("The parameter {name} is required.")))?;
    let text = value
        .as_str()
        .ok_or_else(|| (INVALID, format!("Param {name} must be a string.")))?;
    if !length.contains(&text.chars().count()) {
        let (least, most) = (length.start(), length.end());
        return Err((
            INVALID,
            format!("Param {name} must have {least} to {most} characters."),
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
