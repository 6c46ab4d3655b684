//! Emergencies, by rule and before anything else: chest pain, heavy bleeding, suicidal words.

use super::language::{Emergencies, Language, Patterns, Said, languages};
use super::understanding::text::{Gap, Text, Token};

/// How far a negation reaches, in words: "no fever, shortness of breath or chest pain".
const REACH: usize = 6;

/// What kind of emergency it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emergency {
    /// A body in danger.
    Danger,
    /// Somebody who may take their life.
    Despair,
}

/// The emergency that a text tells of, if any, and the language that tells it. All languages are looked through, whatever
/// language the conversation is in, and all of the text, however long it is.
pub(crate) fn find(said: &Said) -> Option<(Emergency, &'static Language)> {
    let found = |language: &'static Language| {
        let text = said.read_by(&language.lexicon);
        in_language(&text, &language.emergencies).map(|emergency| (emergency, language))
    };
    let all: Vec<_> = languages().filter_map(found).collect();
    let despair = all.iter().find(|(emergency, _)| *emergency == Emergency::Despair);
    despair.or(all.first()).copied()
}

fn in_language(text: &Text, rules: &Emergencies) -> Option<Emergency> {
    let mut found = None;
    let may_tell =
        |sentence: &&[Token]| rules.despair.may_match(sentence) || rules.danger.may_match(sentence);
    for sentence in text.sentences().filter(may_tell) {
        for clause in clauses(sentence, rules) {
            if tells(&rules.despair, clause, rules) && !is_of_others(clause, rules) {
                return Some(Emergency::Despair);
            }
        }
        // A list goes over commas, and so does what it is about: "no fever, chest pain or rash".
        for clause in clauses(sentence, rules) {
            let in_danger = |part: &[Token]| {
                tells(&rules.danger, part, rules) && !is_calm(part, rules) && !asked_in(sentence, part, rules)
            };
            if in_danger(clause) || news(sentence, clause, rules).any(in_danger) {
                found = Some(Emergency::Danger);
            }
        }
    }
    found
}

/// The parts between commas and around "but".
fn clauses<'a>(sentence: &'a [Token], rules: &'a Emergencies) -> impl Iterator<Item = &'a [Token]> {
    sentence
        .split_inclusive(|token| token.gap != Gap::Space)
        .flat_map(|part| part.split(|token| rules.but.contains(&token.word)))
        .filter(|part| !part.is_empty())
}

/// The parts of a clause in which something new is said: "I had surgery two weeks ago | and now the bleeding won't stop". Not those of
/// a question or a condition, unless they say that it happens now.
fn news<'a>(
    sentence: &'a [Token],
    clause: &'a [Token],
    rules: &'a Emergencies,
) -> impl Iterator<Item = &'a [Token]> {
    let turns: Vec<_> = rules
        .turns
        .all(clause)
        .into_iter()
        .map(|turn| turn.start)
        .collect();
    let ends: Vec<_> = turns.iter().skip(1).copied().chain([clause.len()]).collect();
    turns.into_iter().zip(ends).filter_map(move |(start, end)| {
        let (before, part) = (&clause[..start], &clause[start..end]);
        let supposed = before.iter().any(|token| rules.conditions.contains(&token.word))
            || (is_question(sentence) && rules.asked.any(before));
        (!supposed || rules.present.any(part)).then_some(part)
    })
}

/// Whether a clause has a match that nothing before or behind it turns around.
fn tells(patterns: &Patterns, clause: &[Token], rules: &Emergencies) -> bool {
    let hits = patterns.all(clause);
    if hits.is_empty() {
        return false;
    }
    // Where it was turned around last, once for all matches: a clause may be as long as a message.
    let last = rules.negates_behind.last_start(clause);
    hits.iter()
        .any(|hit| last.is_none_or(|last| last < hit.end) && !negated(&clause[..hit.start], rules))
}

fn negated(before: &[Token], rules: &Emergencies) -> bool {
    before
        .iter()
        .rev()
        .take(REACH)
        .take_while(|token| !rules.asserts.contains(&token.word))
        .any(|token| rules.negates.contains(&token.word))
}

fn is_calm(clause: &[Token], rules: &Emergencies) -> bool {
    rules.idioms.any(clause)
        || rules.calm.any(clause)
        || (rules.asked.any(clause) && !rules.present.any(clause))
}

/// "My brother committed suicide last year", "can it cause suicidal thoughts?". Who says "I" is taken at their word, whatever happened
/// before: "my husband died last year and I want to die".
fn is_of_others(clause: &[Token], rules: &Emergencies) -> bool {
    rules.idioms.any(clause) || (!rules.oneself.any(clause) && is_calm(clause, rules))
}

/// "What should I do, if I have chest pain after surgery?": the condition stands in the same sentence.
fn asked_in(sentence: &[Token], clause: &[Token], rules: &Emergencies) -> bool {
    let condition = clause
        .first()
        .is_some_and(|token| rules.conditions.contains(&token.word));
    is_question(sentence) && condition && !rules.present.any(clause)
}

fn is_question(sentence: &[Token]) -> bool {
    sentence.last().is_some_and(|token| token.gap == Gap::Question)
}

#[cfg(test)]
mod tests;
