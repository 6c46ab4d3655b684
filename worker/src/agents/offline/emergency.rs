//! Emergencies, by rule and before anything else: chest pain, heavy bleeding, suicidal words.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Deserialize;

use super::language::Patterns;
use super::understanding::text::{Gap, Text, Token};

/// How much of a text is looked at, in words; far more than anyone types in need.
const MAX_TOKENS: usize = 20_000;
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    danger: Patterns,
    despair: Patterns,
    negates: HashSet<String>,
    asserts: HashSet<String>,
    calm: Patterns,
    asked: Patterns,
    present: Patterns,
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    toml::from_str(include_str!("language/emergency.toml")).expect("the tests read the rules for emergencies")
});

/// The emergency that a text tells of, if any.
pub(crate) fn find(text: &Text) -> Option<Emergency> {
    let rules = &*RULES;
    let tokens = &text.tokens[..text.tokens.len().min(MAX_TOKENS)];
    let mut found = None;
    for sentence in tokens.split_inclusive(|token| token.gap.ends_sentence()) {
        for clause in clauses(sentence) {
            if !hits(&rules.despair, clause, rules).is_empty() && !is_calm(clause, rules) {
                return Some(Emergency::Despair);
            }
        }
        // A list goes over commas, and so does what it is about: "no fever, chest pain or rash".
        for clause in clauses(sentence) {
            if !hits(&rules.danger, clause, rules).is_empty()
                && !is_calm(clause, rules)
                && !asked_in(sentence, clause, rules)
            {
                found = Some(Emergency::Danger);
            }
        }
    }
    found
}

/// The parts between commas and around "but".
fn clauses(sentence: &[Token]) -> impl Iterator<Item = &[Token]> {
    sentence
        .split_inclusive(|token| token.gap != Gap::Space)
        .flat_map(|part| part.split(|token| matches!(token.word.as_str(), "but" | "aber" | "ama" | "لكن")))
        .filter(|part| !part.is_empty())
}

/// The matches that nothing before them turns around.
fn hits(patterns: &Patterns, clause: &[Token], rules: &Rules) -> Vec<usize> {
    patterns
        .all(clause)
        .into_iter()
        .map(|hit| hit.start)
        .filter(|&start| !negated(&clause[..start], rules))
        .collect()
}

fn negated(before: &[Token], rules: &Rules) -> bool {
    before
        .iter()
        .rev()
        .take(REACH)
        .take_while(|token| !rules.asserts.contains(&token.word))
        .any(|token| rules.negates.contains(&token.word))
}

fn is_calm(clause: &[Token], rules: &Rules) -> bool {
    rules.calm.any(clause) || (rules.asked.any(clause) && !rules.present.any(clause))
}

/// "What should I do, if I have chest pain after surgery?": the condition stands in the same sentence.
fn asked_in(sentence: &[Token], clause: &[Token], rules: &Rules) -> bool {
    let question = sentence.last().is_some_and(|token| token.gap == Gap::Question);
    let condition = clause
        .first()
        .is_some_and(|token| matches!(token.word.as_str(), "if" | "when" | "wenn"));
    question && condition && !rules.present.any(clause)
}

#[cfg(test)]
mod tests {
    use super::{Emergency, find};
    use crate::agents::offline::understanding::text::Text;

    #[test]
    fn emergencies_are_noticed() {
        let danger = [
            "I have chest pain",
            "chest pains and sweating",
            "my chest hurts a lot",
            "there is a pressure on my chest",
            "I can't breathe",
            "i cant breath",
            "I can not breathe",
            "I can't really breathe",
            "I am struggling to breathe",
            "my wife has trouble breathing",
            "I am bleeding heavily",
            "the bleeding won't stop",
            "it won't stop bleeding",
            "heavy bleeding after my implant",
            "I'm losing a lot of blood",
            "I cannot stop the bleeding",
            "he is unconscious",
            "my husband passed out",
            "she collapsed and is not responding",
            "I think I'm having a stroke",
            "his face is drooping",
            "she has slurred speech",
            "I can't move my left arm",
            "I took too many pills",
            "overdose",
            "I think he overdosed",
            "severe allergic reaction",
            "my throat is closing",
            "my tongue is swelling",
            "heart attack!",
            "I think my father is having a heart attack",
            "call an ambulance",
            "this is an emergency",
            "No, I have chest pain",
            "no i have chest pain",
            "I don't know, but I have chest pain",
            "I had chest pain an hour ago and it is back",
            "I have chest pain, is that normal?",
            "is it normal that I can't breathe?",
            "My name is John. I can't breathe. I need help",
            "I am dying",
            "I'm coughing up blood",
            "he has a seizure",
            "what is the emergency number",
            "I want a hair transplant but now I have chest pain",
            "göğüs ağrım var",
            "nefes alamıyorum",
            "ich habe Brustschmerzen",
            "لا أستطيع التنفس",
            "he drank bleach",
            "I am choking",
            "What should I do if I have heavy bleeding?",
        ];
        all(&danger, Some(Emergency::Danger));
        let despair = [
            "I want to kill myself",
            "I want to die",
            "I feel suicidal",
            "I don't want to live anymore",
            "I'm going to end my life",
            "everyone is better off dead",
            "i wanna die",
            "I am thinking about suicide",
            "I hurt myself",
            "there is no reason to live",
            "intihar edeceğim",
            "ich will sterben",
        ];
        all(&despair, Some(Emergency::Despair));
    }

    fn all(texts: &[&str], expected: Option<Emergency>) {
        let wrong: Vec<_> = texts
            .iter()
            .filter(|text| find(&Text::new(text)) != expected)
            .collect();
        assert!(wrong.is_empty(), "not {expected:?}: {wrong:#?}");
    }

    #[test]
    fn look_alikes_are_none() {
        let calm = [
            "my heart is set on Tuesday",
            "this price is killing me",
            "I'm dying to know",
            "is bleeding normal after implants?",
            "my friend had a heart attack last year",
            "I'd kill for a nose like that",
            "no chest pain",
            "I have no chest pain",
            "I don't have chest pain",
            "I have never had a stroke",
            "no fever, no chest pain",
            "no shortness of breath or chest pain",
            "the price nearly gave me a heart attack",
            "I had a heart attack in 2019",
            "my father died of a heart attack",
            "what if I have chest pain after the surgery?",
            "what is the risk of heavy bleeding?",
            "can a hair transplant cause heavy bleeding?",
            "is chest pain a side effect?",
            "I can't breathe through my nose",
            "I have trouble breathing through my nose",
            "will I be unconscious during the surgery?",
            "I want to die my hair",
            "a smile to die for",
            "a stroke of luck",
            "this is not an emergency",
            "I was dying of laughter",
            "Do I bleed a lot?",
            "my gums bleed a little",
            "do you have emergency appointments?",
            "hair transplant",
            "",
            "I would die for that smile",
            "unconscious bias",
            "I am afraid of heavy bleeding",
            "is shortness of breath common afterwards?",
            "it hurts a bit",
            "I lost a lot of hair",
            "chest hair transplant",
            "My heart is broken by the price",
            "breast implants",
            "I have a history of seizures",
            "I used to have trouble breathing",
        ];
        all(&calm, None);
    }
}
