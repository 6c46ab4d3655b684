//! What a visitor asks about.

use super::answer::without_filler;
use super::text::{Gap, Text, Token};
use super::treatment::{self, Mention};
use super::vocabulary::Vocabulary;
use super::when::{self, When};
use crate::agents::offline::language::{Lexicon, Patterns};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Price(Vec<usize>),
    Duration(Vec<usize>),
    Recovery(Vec<usize>),
    About(Vec<usize>),
    Treatments,
    Hours(Option<When>),
    Address,
    Phone,
    Email,
    Website,
    Languages,
    Identity,
    Who,
    Privacy,
    /// About diagnosis, dosage or risk.
    Medical,
    /// The visitor tells something of that kind.
    MedicalNote,
    Status,
    Capabilities,
    Smalltalk,
    OffTopic,
    /// One of the clinic's questions with answers.
    Faq(usize),
    /// It is a question, and that is all that was understood.
    Unknown,
}

/// Whether a clause asks something, by its form.
pub(crate) fn is_question(clause: &[Token], lexicon: &Lexicon) -> bool {
    let ends = clause.last().is_some_and(|token| token.gap == Gap::Question);
    ends || lexicon.topics.asks.any(without_filler(clause, lexicon)) || lexicon.intents.know.any(clause)
}

/// The questions in one clause. `Unknown` is left to the caller, who knows whether the clause said something else.
pub(crate) fn find(
    text: &Text,
    clause: &[Token],
    words: &Vocabulary<'_>,
    lexicon: &Lexicon,
) -> Vec<Question> {
    let topics = &lexicon.topics;
    let asks = is_question(clause, lexicon);
    let hit = |patterns: &Patterns| patterns.any(clause);
    if hit(&topics.identity) {
        return vec![Question::Identity];
    }
    if asks && hit(&topics.privacy) {
        return vec![Question::Privacy];
    }
    // "Prices, please": a few words about a topic are a question, too.
    let terse = clause.len() <= 4;
    let treatments: Vec<usize> = treatment::mentions(clause, words, lexicon)
        .iter()
        .map(|Mention { index, .. }| *index)
        .collect();
    if let Some(faq) = words
        .faq(clause)
        .filter(|(_, length)| asks || (terse && (*length > 1 || clause.len() == 1)))
    {
        return vec![Question::Faq(faq.0)];
    }
    let mut found = Vec::new();
    if hit(&topics.medical) {
        if asks && hit(&topics.recovery) {
            found.push(Question::Recovery(treatments));
        }
        found.push(if asks {
            Question::Medical
        } else {
            Question::MedicalNote
        });
        return found;
    }
    if asks && hit(&topics.status) && treatments.is_empty() {
        return vec![Question::Status];
    }
    if (asks || terse) && hit(&topics.price) {
        found.push(Question::Price(treatments.clone()));
    }
    if (asks || terse) && hit(&topics.recovery) {
        found.push(Question::Recovery(treatments.clone()));
    } else if asks && hit(&topics.duration) {
        found.push(Question::Duration(treatments.clone()));
    }
    let own_number = hit(&lexicon.contact.announces);
    let plain: [(&Patterns, Question); 5] = [
        (&topics.address, Question::Address),
        (&topics.phone, Question::Phone),
        (&topics.email, Question::Email),
        (&topics.website, Question::Website),
        (&topics.languages, Question::Languages),
    ];
    for (patterns, question) in plain {
        if (asks || terse && !own_number) && hit(patterns) {
            found.push(question);
        }
    }
    if (asks || terse) && found.is_empty() && hit(&topics.hours) {
        found.push(Question::Hours(when::find(text, clause, &lexicon.when)));
    }
    if (asks || terse) && found.is_empty() && hit(&topics.treatments) {
        found.push(if treatments.is_empty() {
            Question::Treatments
        } else {
            Question::About(treatments.clone())
        });
    }
    if !found.is_empty() {
        return found;
    }
    if asks && !treatments.is_empty() && hit(&topics.about) && !hit(&lexicon.intents.booking) {
        return vec![Question::About(treatments)];
    }
    let rest = [
        (&topics.smalltalk, Question::Smalltalk),
        (&topics.who, Question::Who),
        (&topics.capabilities, Question::Capabilities),
        (&topics.joke, Question::OffTopic),
    ];
    rest.into_iter()
        .find(|(patterns, _)| hit(patterns))
        .map(|(_, question)| question)
        .into_iter()
        .collect()
}
