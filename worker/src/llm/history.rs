//! The conversation so far as the model is given it: bounded by tokens, the oldest messages out first.

use super::prompt;
use super::wire::Message;
use crate::agents::PastMessage;

/// What a message costs besides its text.
const FRAME: usize = 4;

/// The tokens of a text, as estimated: four bytes of Latin letters make one, other letters take more.
pub(crate) fn tokens(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let others = text.chars().filter(|character| !character.is_ascii()).count();
    FRAME + ascii.div_ceil(4) + others
}

/// The past as the model is given it.
pub(crate) struct Past<'t> {
    /// Messages that take turns, the visitor's first.
    pub(crate) messages: Vec<Message>,
    /// The visitor's among them, as they were written.
    pub(crate) heard: Vec<&'t str>,
    /// The visitor's last ones, which nobody has answered.
    pub(crate) unanswered: Option<String>,
}

/// The newest messages that fit, oldest first.
pub(crate) fn bounded(history: &[PastMessage], max_tokens: usize) -> Past<'_> {
    let mut left = max_tokens;
    let fitting = history
        .iter()
        .rev()
        .take_while(|message| {
            let cost = tokens(&message.body);
            let fits = cost <= left;
            left = left.saturating_sub(cost);
            fits
        })
        .count();
    let newest = &history[history.len() - fitting..];
    let heard = newest.iter().filter(|message| message.incoming);
    let heard = heard.map(|message| message.body.as_str()).collect();
    let mut messages: Vec<(bool, String)> = Vec::new();
    // Many models want the two to take turns, and the visitor to begin.
    for message in newest {
        // A picture without a word is a message, too: what was answered to it stands behind it.
        let body = match message.body.trim() {
            "" if message.incoming => prompt::no_text(),
            "" => continue,
            _ => &message.body,
        };
        match messages.last_mut() {
            Some((incoming, text)) if *incoming == message.incoming => {
                text.push_str("\n\n");
                text.push_str(body);
            }
            None if !message.incoming => {}
            _ => messages.push((message.incoming, body.to_owned())),
        }
    }
    let unanswered = messages.pop_if(|(incoming, _)| *incoming).map(|(_, text)| text);
    let message = |(incoming, content): (bool, String)| match incoming {
        true => Message::User {
            content: content.into(),
        },
        false => Message::Assistant {
            content,
            tool_calls: Vec::new(),
        },
    };
    Past {
        messages: messages.into_iter().map(message).collect(),
        heard,
        unanswered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(incoming: bool, body: &str) -> PastMessage {
        PastMessage {
            incoming,
            body: body.into(),
        }
    }

    #[test]
    fn the_oldest_go_first_and_the_two_take_turns() {
        let long = "word ".repeat(400);
        let history = [
            past(true, &long),
            past(false, "old"),
            past(true, "a"),
            past(true, "b"),
            past(false, "c"),
        ];
        let Past { messages, heard, .. } = bounded(&history, 100);
        assert_eq!(heard, ["a", "b"]);
        assert_eq!(messages.len(), 2);
        assert_eq!(
            messages[0],
            Message::User {
                content: "a\n\nb".to_owned().into()
            }
        );
        assert_eq!(bounded(&history, 1_000).messages.len(), 4);
        assert!(tokens("مرحبا بكم") > tokens("hello all"));
        assert!(bounded(&history, 0).messages.is_empty());
    }

    #[test]
    fn the_answer_to_a_picture_without_words_is_kept() {
        let history = [
            past(true, " "),
            past(false, "Is it okay?"),
            past(true, "yes"),
            past(false, ""),
        ];
        let Past {
            messages,
            heard,
            unanswered,
        } = bounded(&history, 1_000);
        assert_eq!((messages.len(), heard), (2, vec![" ", "yes"]));
        assert_eq!(
            unanswered.as_deref(),
            Some("yes"),
            "what came after it was nothing"
        );
        let said = Message::Assistant {
            content: "Is it okay?".into(),
            tool_calls: Vec::new(),
        };
        assert_eq!(messages[1], said);
    }
}
