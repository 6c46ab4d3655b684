//! Everything that one message says, clause by clause.

use shared::clinic::Clinic;

use super::answer::{self, Answer, without_filler};
use super::contact::{self, Invalid};
use super::name::{self, Given};
use super::question::{self, Question};
use super::text::{Text, Token};
use super::treatment;
use super::vocabulary::Vocabulary;
use super::when::{self, When};
use crate::agents::offline::conversation::{Ask, Conversation};
use crate::agents::offline::language::{Lexicon, Patterns};

/// How much of a message is read for details, in words and in characters. Emergencies and contacts are looked for in all of it.
const MAX_TOKENS: usize = 600;
const MAX_CHARS: usize = 10_000;

/// What a message says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) answer: Option<Answer>,
    pub(crate) name: Option<Given>,
    /// Treatments by the clinic's names or the visitor's words.
    pub(crate) treatments: Vec<String>,
    /// "Also veneers": they come on top of what is known.
    pub(crate) in_addition: bool,
    pub(crate) phone: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) invalid_contact: Option<Invalid>,
    pub(crate) when: Option<When>,
    pub(crate) questions: Vec<Question>,
    /// The message has the form of a correction.
    pub(crate) correcting: bool,
    pub(crate) booking: bool,
    pub(crate) resume: bool,
    pub(crate) another: bool,
    pub(crate) human: bool,
    pub(crate) restart: bool,
    pub(crate) cancel: bool,
    pub(crate) withdraw: bool,
    pub(crate) grant: bool,
    pub(crate) thanks: bool,
    pub(crate) bye: bool,
    pub(crate) greeting: bool,
    pub(crate) abuse: bool,
    pub(crate) injection: bool,
    pub(crate) dont_know: bool,
    /// Only "ok" or the like, which may be a yes or may take note.
    pub(crate) weak_yes: bool,
    pub(crate) nothing: bool,
    /// The details that are named without a value: "the time".
    pub(crate) fields: Vec<Ask>,
    /// No words at all.
    pub(crate) wordless: bool,
    /// More than could be read.
    pub(crate) long: bool,
}

impl Found {
    /// Whether it holds a detail.
    pub(crate) fn has_details(&self) -> bool {
        self.name.is_some()
            || !self.treatments.is_empty()
            || self.phone.is_some()
            || self.email.is_some()
            || self.when.is_some()
    }

    /// Whether it is about a booking, or moves one on.
    pub(crate) fn moves_booking(&self) -> bool {
        self.has_details() || self.booking || self.another || self.invalid_contact.is_some()
    }
}

/// Reads a message, in the light of what was asked.
pub(crate) fn read(raw: &Text, conversation: &Conversation, clinic: &Clinic, lexicon: &Lexicon) -> Found {
    let words = &Vocabulary::new(clinic, lexicon);
    let contacts = contact::find(&raw.raw);
    let beginning = beginning(&contacts.rest);
    let mut text = lexicon.read(beginning);
    let long = text.tokens.len() > MAX_TOKENS || beginning.len() < contacts.rest.len();
    text.tokens.truncate(MAX_TOKENS);
    let mut found = Found {
        answer: answer::find(&text, lexicon),
        phone: contacts.phone,
        email: contacts.email,
        invalid_contact: contacts.invalid,
        wordless: text.tokens.is_empty() && raw.tokens.is_empty(),
        long,
        ..Found::default()
    };
    found.number_too_short(raw, conversation, lexicon);
    found.intents(&text.tokens, lexicon);
    if found.injection {
        return found;
    }
    found.details(&text, conversation, words, lexicon);
    if !found.has_details() && found.questions.is_empty() {
        found.bare_answer(&text, conversation, lexicon);
    }
    found.name_without_announcement(&text, conversation, words, lexicon);
    found
}

/// As much of a text as is read for details.
fn beginning(text: &str) -> &str {
    let end = text
        .char_indices()
        .nth(MAX_CHARS)
        .map_or(text.len(), |(end, _)| end);
    &text[..end]
}

impl Found {
    fn intents(&mut self, tokens: &[Token], lexicon: &Lexicon) {
        let intents = &lexicon.intents;
        let hit = |patterns: &Patterns| patterns.any(tokens);
        self.resume = hit(&intents.resume);
        self.another = hit(&intents.another);
        self.restart = hit(&intents.restart);
        self.cancel = hit(&intents.cancel);
        self.withdraw = hit(&intents.withdraw);
        self.grant = hit(&lexicon.answers.grant) && self.answer != Some(Answer::No);
        self.thanks = hit(&intents.thanks);
        self.bye = hit(&intents.bye);
        self.greeting = hit(&intents.greeting);
        self.abuse = hit(&intents.abuse);
        self.injection = hit(&intents.injection);
        self.dont_know = hit(&lexicon.answers.dont_know);
        self.weak_yes = lexicon.answers.weak_yes.at(tokens, 0) == Some(tokens.len());
        self.nothing = hit(&lexicon.answers.nothing);
        self.correcting = hit(&intents.correction);
        self.in_addition = hit(&intents.agree_also);
        let fields = &lexicon.fields;
        for (patterns, ask) in [
            (&fields.name, Ask::Name),
            (&fields.treatment, Ask::Treatment),
            (&fields.contact, Ask::Contact),
            (&fields.time, Ask::Time),
        ] {
            if hit(patterns) || hit(&fields.everything) {
                self.fields.push(ask);
            }
        }
    }

    /// "12", where a telephone number is meant.
    fn number_too_short(&mut self, raw: &Text, conversation: &Conversation, lexicon: &Lexicon) {
        let meant = conversation.asked == Some(Ask::Contact) && raw.tokens.len() <= 3
            || raw.tokens.len() <= 6 && lexicon.contact.announces.any(&raw.tokens);
        let number = |token: &Token| token.word.len() < 7 && token.word.chars().all(|c| c.is_ascii_digit());
        let nothing = self.phone.is_none() && self.email.is_none() && self.invalid_contact.is_none();
        if meant && nothing && raw.tokens.last().is_some_and(number) {
            self.invalid_contact = Some(Invalid::Short);
        }
    }

    /// Goes through the clauses: questions are answered, the rest gives details.
    fn details(
        &mut self,
        text: &Text,
        conversation: &Conversation,
        words: &Vocabulary<'_>,
        lexicon: &Lexicon,
    ) {
        let known = conversation.details.name.is_some();
        let asked_name = conversation.asked == Some(Ask::Name);
        let context = name::Context {
            asked: asked_name,
            correcting: known && self.correcting,
        };
        let mut statements: Vec<Token> = Vec::new();
        for sentence in text.sentences() {
            let mut asked_before = false;
            for clause in clauses(sentence) {
                let questions = question::find(text, clause, words, lexicon);
                let noted = questions == [Question::MedicalNote];
                let goes_on = asked_before && clause.len() <= 3 && question::is_question(clause, lexicon);
                let human = lexicon.intents.human.any(clause) && !questions.contains(&Question::Identity);
                self.human |= human;
                if self.name.is_none() {
                    self.name = name::find(text, clause, lexicon, context);
                }
                asked_before = !questions.is_empty();
                let books = lexicon.intents.book.any(clause);
                let wants = books || lexicon.intents.wanting.any(clause) && !lexicon.intents.know.any(clause);
                if !human && !goes_on && (questions.is_empty() || noted || wants) {
                    self.booking |=
                        books || (questions.is_empty() || noted) && lexicon.intents.booking.any(clause);
                    statements.extend_from_slice(clause);
                    if questions.is_empty() && is_plain_question(clause, lexicon) {
                        self.questions.push(Question::Unknown);
                    }
                }
                self.questions.extend(
                    questions
                        .into_iter()
                        .filter(|question| !matches!(question, Question::Unknown)),
                );
            }
        }
        self.questions.dedup();
        let asked = conversation.asked;
        let asked_time = asked == Some(Ask::Time);
        // What happened two years ago is no time to talk, unless it is the answer to a question of ours.
        let about_time = asked_time || matches!(asked, Some(Ask::Confirm | Ask::Change));
        self.when = when::find(text, &statements, &lexicon.when)
            .filter(|when| asked_time || !when.is_casual(lexicon))
            .filter(|when| about_time || !when.is_past());
        let mentions = treatment::mentions(&statements, words, lexicon);
        for mention in mentions.iter().filter(|mention| !mention.refused) {
            let name = words.clinic.treatments[mention.index].name.clone();
            if !self.treatments.contains(&name) {
                self.treatments.push(name);
            }
        }
        if self.treatments.is_empty() && mentions.is_empty() {
            self.treatments
                .extend(treatment::wanted(text, &statements, lexicon));
        }
        let understood = self.has_details() || self.booking || self.human || self.questions.len() > 1;
        if understood {
            self.questions.retain(|question| *question != Question::Unknown);
        }
    }

    /// A message that is nothing but the answer to what was asked.
    fn bare_answer(&mut self, text: &Text, conversation: &Conversation, lexicon: &Lexicon) {
        let intent = self.thanks
            || self.bye
            || self.abuse
            || self.human
            || self.cancel
            || self.restart
            || self.withdraw;
        if intent || self.answer.is_some() || self.dont_know || self.resume {
            return;
        }
        match conversation.asked {
            Some(Ask::Treatment) => {
                self.treatments.extend(text.sentences().find_map(|sentence| {
                    treatment::own_words(text, without_filler(sentence, lexicon), lexicon)
                }));
            }
            Some(Ask::Time) => {
                let words = treatment::own_words(text, &text.tokens, lexicon);
                let short = text.tokens.len() <= 8;
                self.when = words.filter(|_| short).map(|_| When {
                    words: super::text::tidy(&text.raw, 60),
                    ..When::default()
                });
            }
            _ => {}
        }
    }

    /// A name that nothing announces: an answer to the question for it, or words in capitals among other details.
    fn name_without_announcement(
        &mut self,
        text: &Text,
        conversation: &Conversation,
        words: &Vocabulary<'_>,
        lexicon: &Lexicon,
    ) {
        if self.name.is_some() || self.abuse || self.cancel || self.restart || self.withdraw || self.human {
            return;
        }
        let spans = treatment::mentions(&text.tokens, words, lexicon);
        let mut rest = text.tokens.clone();
        for mention in spans.iter().rev() {
            rest.drain(mention.start..mention.end);
        }
        let details = &conversation.details;
        if conversation.asked == Some(Ask::Name) && self.questions.is_empty() && !self.thanks {
            self.name = name::bare(text, &rest, lexicon);
        } else if details.name.is_some() && self.correcting && !self.has_details() {
            // "No, Jon": only what follows the word of correction.
            let behind = rest.iter().skip_while(|token| {
                !lexicon.filler.contains(&token.word) && !lexicon.names.behind.contains(&token.word)
            });
            let behind: Vec<Token> = behind.skip(1).cloned().collect();
            let changed = conversation.asked != Some(Ask::Treatment) && conversation.asked != Some(Ask::Time);
            if changed && self.questions.is_empty() {
                self.name = name::bare(text, &behind, lexicon).filter(|_| behind.len() <= 3);
            }
        } else if details.name.is_none() && (self.has_details() || self.answer == Some(Answer::Yes)) {
            self.name = name::capitalised(text, &rest, lexicon);
        }
    }
}

/// Whether a clause asks by its form and by nothing else; "can you call me on Tuesday?" asks for something else.
fn is_plain_question(clause: &[Token], lexicon: &Lexicon) -> bool {
    question::is_question(clause, lexicon) && clause.len() > 1
}

/// The parts of a sentence between commas.
fn clauses(sentence: &[Token]) -> impl Iterator<Item = &[Token]> {
    sentence.split_inclusive(|token| token.gap != super::text::Gap::Space)
}
