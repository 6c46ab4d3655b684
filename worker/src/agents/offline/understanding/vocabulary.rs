//! The clinic's own words as a language reads them: names of treatments, and keywords of questions.

use shared::clinic::Clinic;

use super::text::Token;
use crate::agents::offline::language::Lexicon;

/// What a clinic calls its things, in the words of its file and of one language.
pub(crate) struct Vocabulary<'c> {
    pub(crate) clinic: &'c Clinic,
    /// The names of treatments, word by word, with the treatment's place in `clinic.toml`.
    pub(crate) treatments: Vec<(usize, Vec<Name>)>,
    /// The keywords of questions, in the same way.
    faqs: Vec<(usize, Vec<String>)>,
}

/// A word of a name, or the beginning of one, and how long it is: most words of a text are told from it by that.
pub(crate) struct Name {
    pub(crate) word: String,
    /// "implant%": any word that starts so.
    pub(crate) open: bool,
    pub(crate) chars: usize,
}

impl Name {
    fn new(word: &str) -> Self {
        let start = word.strip_suffix('%');
        let word = start.unwrap_or(word).to_owned();
        Self {
            open: start.is_some(),
            chars: word.chars().count(),
            word,
        }
    }
}

impl<'c> Vocabulary<'c> {
    pub(crate) fn new(clinic: &'c Clinic, lexicon: &Lexicon) -> Self {
        let words = |name: &str| lexicon.form(&name.to_lowercase());
        let treatments = clinic.treatments.iter().enumerate();
        let treatments = treatments.flat_map(|(index, treatment)| {
            let named = treatment.words_in(lexicon.tag);
            named.map(move |name| (index, words(name).split_whitespace().map(Name::new).collect()))
        });
        let faqs = clinic.faqs.iter().enumerate().flat_map(|(index, faq)| {
            let translated = faq.translations.get(lexicon.tag);
            let keywords = translated.into_iter().flat_map(|text| &text.keywords);
            let keywords = faq.keywords.iter().chain(keywords);
            keywords.map(move |keyword| {
                let keyword = words(keyword).split_whitespace().map(str::to_owned).collect();
                (index, keyword)
            })
        });
        Self {
            clinic,
            treatments: treatments.collect(),
            faqs: faqs.collect(),
        }
    }

    /// The clinic's own question that has a keyword in the clause, and how many words that keyword has.
    pub(crate) fn faq(&self, clause: &[Token]) -> Option<(usize, usize)> {
        let mut best: Option<(usize, usize)> = None;
        for (index, keyword) in &self.faqs {
            let longer = best.is_none_or(|(_, length)| keyword.len() > length);
            if longer && clause.windows(keyword.len()).any(|window| reads(window, keyword)) {
                best = Some((*index, keyword.len()));
            }
        }
        best
    }
}

fn reads(window: &[Token], keyword: &[String]) -> bool {
    let pairs = window.iter().zip(keyword);
    let mut read = pairs.map(|(token, word)| match word.strip_suffix('%') {
        Some(start) => token.word.starts_with(start),
        None => token.word == *word,
    });
    read.all(|same| same)
}
