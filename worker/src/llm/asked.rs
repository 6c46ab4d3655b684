//! What a reply has asked: a visitor's yes counts only for the question that was put. By the words of `prompts/questions.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use super::spelling::{self, Spelling};
use crate::agents::offline::joint::{Details, Gap, Text, Token, clean, fold};

struct Questions {
    consent: Vec<Spelling>,
    details: Vec<Spelling>,
    keep: Vec<Spelling>,
    agree: Vec<Spelling>,
}

static QUESTIONS: LazyLock<Questions> = LazyLock::new(|| {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        consent: String,
        details: String,
        keep: String,
        agree: String,
    }
    let file: File =
        toml::from_str(include_str!("prompts/questions.toml")).expect("a test reads the questions");
    let list = |words: &str| spelling::list(&fold(words));
    Questions {
        consent: list(&file.consent),
        details: list(&file.details),
        keep: list(&file.keep),
        agree: list(&file.agree),
    }
});

/// Whether `reply` asks anything.
pub(crate) fn anything(reply: &str) -> bool {
    reply.contains(['?', '؟'])
}

/// Whether `reply` asks if the visitor's details may be collected.
pub(crate) fn for_consent(reply: &str) -> bool {
    let text = Text::new(reply);
    let questions = &*QUESTIONS;
    let mut collects = false;
    text.sentences().any(|sentence| {
        let before = collects;
        collects = has(sentence, &questions.details) && has(sentence, &questions.keep);
        let is_question = sentence.last().is_some_and(|last| last.gap == Gap::Question);
        is_question
            && (collects || has(sentence, &questions.consent) || (before && has(sentence, &questions.agree)))
    })
}

/// Whether `reply` names whose request it is and how they are reached, and asks about it.
pub(crate) fn whether_right(reply: &str, details: &Details) -> bool {
    let reply = clean(reply);
    let said = folded(&reply);
    let name = details.name.as_deref().map(folded).unwrap_or_default();
    let mut names = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|name| !name.is_empty());
    let phone = details.phone.as_deref().map(digits);
    let email = details.email.as_deref().map(folded);
    let is_reached = phone.is_some_and(|phone| digits(&reply).contains(&phone))
        || email.is_some_and(|email| said.contains(&email));
    anything(&reply) && is_reached && names.all(|name| said.contains(name))
}

fn has(sentence: &[Token], words: &[Spelling]) -> bool {
    sentence.iter().any(|token| {
        let word = fold(&token.word);
        words.iter().any(|known| known.is(&word))
    })
}

fn folded(text: &str) -> String {
    fold(&text.to_lowercase()).into_owned()
}

/// The digits of a number, however it is grouped.
pub(crate) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::offline::joint::languages;

    #[test]
    fn the_question_for_consent_is_known_in_four_languages() {
        for language in languages() {
            let messages = &language.messages;
            for question in [&messages.ask_consent, &messages.ask_consent_again] {
                assert!(for_consent(question), "{question}");
            }
            for other in [
                &messages.ask_name,
                &messages.ask_name_again,
                &messages.ask_treatment,
                &messages.ask_contact,
                &messages.ask_contact_again,
                &messages.ask_time,
                &messages.ask_offer,
                &messages.ask_offer_again,
            ] {
                assert!(!for_consent(other), "{other}");
            }
        }
        for question in [
            "Is it okay for me to collect some information from you first?",
            "May I save your data, so that the team can prepare?",
            "I would note your details for the team. Would that be alright?",
            "Darf ich Ihre Angaben notieren?",
            "Ich würde dafür Ihre Daten speichern. Ist das in Ordnung?",
            "Bilgilerinizi kaydedebilir miyim?",
            "Verilerinizi almamı onaylıyor musunuz?",
            "هل تسمح لي بحفظ بياناتك؟",
            "هل يمكنني تسجيل معلوماتك؟",
        ] {
            assert!(for_consent(question), "{question}");
        }
    }

    #[test]
    fn other_questions_are_not_the_one_for_consent() {
        for other in [
            "How can I help you?",
            "I keep your details safe. How can I help you?",
            "I will collect your details now.",
            "Would you like more information?",
            "Is Friday okay?",
            "Wie kann ich Ihnen helfen?",
            "Möchten Sie weitere Informationen?",
            "Size nasıl yardımcı olabilirim?",
            "Numaranızı verir misiniz?",
            "Fiyatlar hakkında bilgi ister misiniz?",
            "كيف يمكنني مساعدتك؟",
            "هل تريد المزيد من المعلومات؟",
        ] {
            assert!(!for_consent(other), "{other}");
        }
    }

    #[test]
    fn details_are_read_back_where_name_and_contact_stand_beside_a_question() {
        let details = |name: &str, phone: Option<&str>, email: Option<&str>| Details {
            name: Some(name.to_owned()),
            phone: phone.map(str::to_owned),
            email: email.map(str::to_owned),
            ..Details::default()
        };
        let john = details("John O'Neill", Some("+44 20 7946 0000"), Some("John@example.com"));
        for (reply, right) in [
            ("John O’Neill, +44 (20) 7946-0000: is that right?", true),
            ("JOHN O'NEILL, john@example.com. May I send it?", true),
            ("John, +44 20 7946 0000: is that right?", false),
            ("John O'Neill: is that right?", false),
            ("John O'Neill, +44 20 7946 0000.", false),
        ] {
            assert_eq!(whether_right(reply, &john), right, "{reply}");
        }
        let turkish = details("Ayşe YILMAZ", Some("0532 123 45 67"), None);
        assert!(whether_right(
            "AYŞE YILMAZ'ın numarası 05321234567, doğru mu?",
            &turkish
        ));
        assert!(whether_right(
            "Ayşe Yılmaz, 0532 123 45 67. Göndereyim mi?",
            &turkish
        ));
        let arabic = details("محمد أحمد", Some("050 123 4567"), None);
        assert!(whether_right("محمد أحمد، ٠٥٠ ١٢٣ ٤٥٦٧: هل هذا صحيح؟", &arabic));
    }
}
