//! Yes and no.

use super::text::{Gap, Text, Token};
use crate::agents::offline::language::Lexicon;

/// An answer to a question that can be answered with yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
}

/// The answer that a text gives, if any. Questions give none.
pub(crate) fn find(text: &Text, lexicon: &Lexicon) -> Option<Answer> {
    if text.tokens.is_empty() {
        return emoji(&text.raw);
    }
    let mut answer = None;
    for sentence in text.sentences() {
        let question = sentence.last().is_some_and(|token| token.gap == Gap::Question);
        let words = without_filler(sentence, lexicon);
        if question || words.is_empty() {
            continue;
        }
        match in_sentence(words, lexicon) {
            Some(found) if answer.is_none() => answer = Some(found),
            // "OK. No."
            Some(Answer::No) if sentence.len() <= 3 => return Some(Answer::No),
            _ => {}
        }
    }
    answer
}

fn in_sentence(words: &[Token], lexicon: &Lexicon) -> Option<Answer> {
    let answers = &lexicon.answers;
    let yes = answers.yes.find(words);
    if let Some(end) = answers.weak_yes.at(words, 0) {
        // "Ok no": behind such a yes a no counts as if it came first.
        if answers.no.at(&words[end..], 0).is_some() && answers.yes.at(&words[end..], 0).is_none() {
            return Some(Answer::No);
        }
    }
    let no = answers.no.find(words);
    match (yes, no) {
        (Some(yes), Some(no)) => {
            // "I don't mind" and "no problem" begin like a no, but go further.
            let yes_wins = yes.start < no.start || (yes.start == no.start && yes.len() >= no.len());
            Some(if yes_wins { Answer::Yes } else { covered(&yes, &no) })
        }
        (Some(_), None) => Some(Answer::Yes),
        (None, Some(_)) => Some(Answer::No),
        (None, None) => None,
    }
}

/// "no, I don't mind": a yes that lies behind a no and contains another one stays a no only if it is not such a phrase.
fn covered(yes: &std::ops::Range<usize>, no: &std::ops::Range<usize>) -> Answer {
    if yes.end == no.end || (yes.start > no.start && yes.len() >= 3 && no.len() <= 2) {
        Answer::Yes
    } else {
        Answer::No
    }
}

/// The words behind "oh", "well" and the like.
pub(crate) fn without_filler<'a>(words: &'a [Token], lexicon: &Lexicon) -> &'a [Token] {
    let skip = words
        .iter()
        .take_while(|token| lexicon.filler.contains(&token.word))
        .count();
    &words[skip..]
}

fn emoji(raw: &str) -> Option<Answer> {
    match raw.chars().find(|c| "👍✅👌🆗👎❌".contains(*c))? {
        '👎' | '❌' => Some(Answer::No),
        _ => Some(Answer::Yes),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Text, find};
    use crate::agents::offline::language::english;

    #[test]
    fn yes_and_no_in_many_words() {
        let yes = [
            "yes",
            "Yes!",
            "yeah sure",
            "ok",
            "OK, go ahead",
            "of course",
            "well, yes",
            "I agree",
            "that's fine",
            "no problem",
            "why not",
            "I don't mind",
            "no, I don't mind",
            "yes but Wednesday",
            "that's right",
            "looks good",
            "👍",
            "sure thing",
            "you may",
            "yes please",
            "Yes, that is okay",
            "it's ok",
            "y",
            "that is fine with me",
            "No worries, go ahead",
        ];
        all(&yes, Some(Answer::Yes));
        let no = [
            "no",
            "No.",
            "nope",
            "no thanks",
            "not now",
            "I don't agree",
            "I'd rather not",
            "ok no",
            "well, no",
            "don't",
            "that's not ok",
            "👎",
            "I do not want that",
            "no, it's Jon",
            "that's wrong",
            "not really",
            "maybe later",
            "no way",
            "I'm not okay with that",
            "you may not",
        ];
        all(&no, Some(Answer::No));
        all(
            &[
                "",
                "hair transplant",
                "John Doe",
                "is it ok?",
                "how much is it",
                "😀",
                "next Tuesday",
                "my hair is thin",
            ],
            None,
        );
    }

    fn all(texts: &[&str], expected: Option<Answer>) {
        let wrong: Vec<_> = texts
            .iter()
            .filter(|text| find(&Text::new(text), &english().lexicon) != expected)
            .collect();
        assert!(wrong.is_empty(), "not {expected:?}: {wrong:#?}");
    }
}
