//! What goes into the outbox: a reply as the messages that a provider takes.

mod marks;
mod split;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use shared::whatsapp::Provider;

pub use marks::marks;
pub use split::{split, units};

/// The longest text of one message: Meta's documentation of text messages.
const META_TEXT: usize = 4_096;
/// The longest body of one message: Twilio's error 21617.
const TWILIO_TEXT: usize = 1_600;
/// The longest text over reply buttons, their number and the longest title: Meta's documentation of interactive messages.
const BUTTONS_TEXT: usize = 1_024;
const MAX_BUTTONS: usize = 3;
const MAX_TITLE: usize = 20;

/// One message to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The text, with WhatsApp's own marks.
    pub body: String,
    /// Titles of reply buttons under it.
    pub buttons: Vec<String>,
}

/// The messages that say `text` (Markdown), in their order; the last one offers `quick_replies` where the provider can and all
/// of them fit. None where there is nothing to say.
pub fn parts(provider: Provider, text: &str, quick_replies: &[String]) -> Vec<Part> {
    let limit = match provider {
        Provider::Meta => META_TEXT,
        Provider::Twilio => TWILIO_TEXT,
    };
    let bodies = split(&marks(text), limit).into_iter();
    let mut parts: Vec<Part> = bodies
        .map(|body| Part {
            body,
            buttons: Vec::new(),
        })
        .collect();
    if let Some(last) = parts.last_mut()
        && provider == Provider::Meta
        && units(&last.body) <= BUTTONS_TEXT
        && can_be_buttons(quick_replies)
    {
        last.buttons = quick_replies.to_vec();
    }
    parts
}

/// Some of them would be worse than none: the others would look as if they were no choice.
fn can_be_buttons(titles: &[String]) -> bool {
    let distinct: HashSet<&str> = titles.iter().map(|title| title.trim()).collect();
    titles.len() <= MAX_BUTTONS
        && distinct.len() == titles.len()
        && titles
            .iter()
            .all(|title| !title.trim().is_empty() && units(title) <= MAX_TITLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(titles: &[&str]) -> Vec<String> {
        titles.iter().map(|title| (*title).to_owned()).collect()
    }

    #[test]
    fn a_reply_is_split_at_what_its_provider_takes() {
        let text = format!("**{}**\n\n{}", "a".repeat(1_000), "b ".repeat(1_900));
        let meta = parts(Provider::Meta, &text, &[]);
        let twilio = parts(Provider::Twilio, &text, &[]);
        assert_eq!((meta.len(), twilio.len()), (2, 4));
        assert!(meta.iter().all(|part| units(&part.body) <= 4_096));
        assert!(twilio.iter().all(|part| units(&part.body) <= 1_600));
        assert!(meta[0].body.starts_with("*aaa"));
        assert!(parts(Provider::Meta, " \n ", &titles(&["Yes"])).is_empty());
    }

    #[test]
    fn buttons_stand_under_the_last_part_where_all_of_them_fit() {
        let yes_no = titles(&["Yes", "No"]);
        let long = format!("{}\n\nIs that right?", "word ".repeat(900));
        let with_buttons = parts(Provider::Meta, &long, &yes_no);
        assert!(with_buttons[0].buttons.is_empty());
        assert_eq!(with_buttons.last().unwrap().buttons, yes_no);
        for (provider, text, offered) in [
            (Provider::Twilio, "Right?", yes_no.clone()),
            (Provider::Meta, &*"a".repeat(1_025), yes_no),
            (Provider::Meta, "Right?", titles(&["1", "2", "3", "4"])),
            (Provider::Meta, "Right?", titles(&["Yes", "Yes"])),
            (Provider::Meta, "Right?", titles(&["Yes", " "])),
            (Provider::Meta, "Right?", titles(&["A title of 21 letters"])),
        ] {
            let parts = parts(provider, text, &offered);
            assert!(parts[0].buttons.is_empty(), "{offered:?}");
        }
    }
}
