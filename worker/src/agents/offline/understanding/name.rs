//! Names.

use super::text::{Gap, Text, Token, tidy};
use super::treatment::{distance, is_noise};
use crate::agents::offline::language::Lexicon;

/// The longest name, in characters and in words.
const MAX_CHARS: usize = 60;
const MAX_WORDS: usize = 5;

/// A name, as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// As the whole name.
    Full(String),
    /// As the first name.
    First(String),
    /// As the family name.
    Family(String),
}

/// What a name is looked for with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// A name was asked for.
    pub(crate) asked: bool,
    /// A name is known and the text corrects something.
    pub(crate) correcting: bool,
}

/// The name that `tokens`, words of `text`, give.
pub(crate) fn find(text: &Text, tokens: &[Token], lexicon: &Lexicon, context: Context) -> Option<Given> {
    let names = &lexicon.names;
    if let Some(found) = names.family.find(tokens) {
        return candidate(text, &tokens[found.end..], lexicon).map(|(name, _)| Given::Family(name));
    }
    if let Some(found) = names.first.find(tokens) {
        return candidate(text, &tokens[found.end..], lexicon).map(|(name, _)| Given::First(name));
    }
    for found in names.strong.all(tokens) {
        // "My name is not John": what follows a word that is none is looked at again, "it's Jon".
        if let Some((name, _)) = candidate(text, &tokens[found.end..], lexicon) {
            return Some(Given::Full(name));
        }
    }
    for found in names.weak.all(tokens) {
        if tokens[found.end - 1].gap == Gap::Space && believable(text, &tokens[found.end..], lexicon, context)
        {
            return candidate(text, &tokens[found.end..], lexicon).map(|(name, _)| Given::Full(name));
        }
    }
    if context.asked || context.correcting {
        for found in names.correcting.all(tokens) {
            let behind = &tokens[found.end..];
            if let Some((name, _)) =
                candidate(text, behind, lexicon).filter(|(_, end)| ends_well(behind, *end, lexicon))
            {
                return Some(Given::Full(name));
            }
        }
    }
    None
}

/// The name where the text is nothing but a name, among other things with commas between: "jane smith, veneers".
pub(crate) fn bare(text: &Text, tokens: &[Token], lexicon: &Lexicon) -> Option<Given> {
    tokens
        .split_inclusive(|token| token.gap != Gap::Space)
        .find_map(|clause| {
            let question = clause.last().is_some_and(|token| token.gap == Gap::Question);
            let skip = clause
                .iter()
                .take_while(|token| lexicon.filler.contains(&token.word))
                .count();
            let clause = if skip < clause.len() {
                &clause[skip..]
            } else {
                clause
            };
            let (name, end) = candidate(text, clause, lexicon)?;
            let here = lexicon.names.after.at(clause, end) == Some(clause.len());
            (!question && (end == clause.len() || here)).then_some(Given::Full(name))
        })
}

/// "John Doe here", "John Doe, hair transplant": a name in capitals that nothing announces.
pub(crate) fn capitalised(text: &Text, tokens: &[Token], lexicon: &Lexicon) -> Option<Given> {
    tokens
        .split_inclusive(|token| token.gap != Gap::Space)
        .find_map(|clause| {
            let (name, end) = candidate(text, clause, lexicon)?;
            let words = clause[..end]
                .iter()
                .filter(|token| !lexicon.names.particles.contains(&token.word));
            let capitals = words
                .clone()
                .all(|token| text.raw[token.start..].starts_with(char::is_uppercase));
            (end == clause.len() && words.count() >= 2 && capitals).then_some(Given::Full(name))
        })
}

/// The whole name after `given` is applied to what is known.
pub(crate) fn merge(known: Option<&str>, given: &Given, correcting: bool) -> String {
    let words: Vec<&str> = known.map(|known| known.split(' ').collect()).unwrap_or_default();
    match given {
        Given::Full(name) if words.len() >= 2 && !name.contains(' ') => {
            let near = |word: &&str| distance(&word.to_lowercase(), &name.to_lowercase()) <= 2;
            match words.iter().position(near) {
                Some(at) => replaced(&words, at, name),
                None if correcting => replaced(&words, 0, name),
                None => name.clone(),
            }
        }
        Given::Full(name) => name.clone(),
        Given::First(name) if !words.is_empty() => replaced(&words, 0, name),
        Given::Family(name) if words.len() >= 2 => replaced(&words, words.len() - 1, name),
        Given::Family(name) if words.len() == 1 => format!("{} {name}", words[0]),
        Given::First(name) | Given::Family(name) => name.clone(),
    }
}

fn replaced(words: &[&str], at: usize, name: &str) -> String {
    let mut words = words.to_vec();
    words[at] = name;
    tidy(&words.join(" "), MAX_CHARS)
}

/// The name at the start of `tokens`, and how many words it has with its titles.
fn candidate(text: &Text, tokens: &[Token], lexicon: &Lexicon) -> Option<(String, usize)> {
    let names = &lexicon.names;
    let titles = tokens
        .iter()
        .take_while(|token| names.titles.contains(&token.word))
        .count();
    let mut end = titles;
    while let Some(token) = tokens.get(end) {
        if !is_name_word(&token.word, lexicon) {
            break;
        }
        end += 1;
        if token.gap != Gap::Space {
            break;
        }
    }
    // "Jean van" followed by something else: particles do not end a name.
    while end > titles + 1
        && names.particles.contains(&tokens[end - 1].word)
        && tokens[end - 1].word.len() > 1
    {
        end -= 1;
    }
    let words = tokens
        .get(titles..end)
        .filter(|words| !words.is_empty() && words.len() <= MAX_WORDS)?;
    let name = tidy(text.slice(words), MAX_CHARS + 1);
    let long = name.chars().count() > MAX_CHARS;
    let noise =
        words.iter().any(|token| is_noise(&token.word)) || words.len() == 1 && is_letter_or_less(&name);
    (!long && !noise).then(|| (in_capitals(&name, lexicon), end))
}

fn is_letter_or_less(name: &str) -> bool {
    name.is_ascii() && name.len() < 2
}

fn is_name_word(word: &str, lexicon: &Lexicon) -> bool {
    let letters = word.chars().all(|c| !c.is_numeric());
    letters && (!lexicon.names.never.contains(word) || lexicon.names.particles.contains(word) && word != "a")
}

/// Whether what follows "I'm" is a name and not a state: "I'm John" against "I'm exhausted".
fn believable(text: &Text, tokens: &[Token], lexicon: &Lexicon, context: Context) -> bool {
    let Some((_, end)) = candidate(text, tokens, lexicon) else {
        return false;
    };
    let words = &tokens[..end];
    let upper = words.iter().all(|token| {
        starts_upper(&text.raw[token.start..token.end]) || lexicon.names.particles.contains(&token.word)
    });
    let shouting = text
        .raw
        .chars()
        .filter(|c| c.is_alphabetic())
        .all(|c| !c.is_lowercase());
    let unlike_a_name = |token: &Token| {
        let word = token.word.as_str();
        word.len() > 4
            && lexicon
                .names
                .unlike
                .iter()
                .any(|ending| word.ends_with(ending.as_str()))
    };
    if upper && !shouting && lexicon.names.capitals_tell {
        return true;
    }
    ends_well(tokens, end, lexicon) && words.len() <= 3 && (context.asked || !words.iter().any(unlike_a_name))
}

/// Whether a name may end behind the word `end` of `tokens`.
fn ends_well(tokens: &[Token], end: usize, lexicon: &Lexicon) -> bool {
    let Some(last) = end.checked_sub(1).and_then(|last| tokens.get(last)) else {
        return false;
    };
    let follows = tokens.get(end).map(|token| token.word.as_str());
    last.gap != Gap::Space || follows.is_none_or(|word| lexicon.names.follows.contains(word))
}

fn starts_upper(word: &str) -> bool {
    // Scripts without capitals are names by position alone.
    word.chars().next().is_some_and(|first| !first.is_lowercase())
}

/// Capital letters where the visitor typed none; what was typed with capitals stays.
fn in_capitals(name: &str, lexicon: &Lexicon) -> String {
    if name.chars().any(char::is_uppercase) {
        return name.to_owned();
    }
    let words = name.split(' ').enumerate().map(|(index, word)| {
        if index > 0 && lexicon.names.particles.contains(word) {
            return word.to_owned();
        }
        let mut start = true;
        word.chars()
            .flat_map(|c| {
                let upper = start;
                start = matches!(c, '-' | '\'');
                match c {
                    'i' if upper && lexicon.names.dotted_i => vec!['İ'],
                    c if upper => c.to_uppercase().collect::<Vec<_>>(),
                    c => vec![c],
                }
            })
            .collect()
    });
    words.collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Context, Given, Text, bare, find, merge};
    use crate::agents::offline::language::english;

    fn full(text: &str, context: Context) -> Option<String> {
        let text = Text::new(text);
        match find(&text, &text.tokens, &english().lexicon, context) {
            Some(Given::Full(name)) => Some(name),
            Some(other) => Some(format!("{other:?}")),
            None => None,
        }
    }

    #[test]
    fn announced_names() {
        let nothing = Context {
            asked: false,
            correcting: false,
        };
        let cases = [
            (
                "My name is John Doe and I need help with hair transplant",
                "John Doe",
            ),
            ("my name's jane smith", "Jane Smith"),
            ("I'm John", "John"),
            ("i'm john and i need veneers", "John"),
            ("I am Şükrü Öztürk.", "Şükrü Öztürk"),
            ("this is José", "José"),
            ("Hi, this is Sinéad O'Brien, hello", "Sinéad O'Brien"),
            ("call me Jon", "Jon"),
            ("my name is jean-luc o'neill", "Jean-Luc O'Neill"),
            ("My name is Anne-Marie van der Berg", "Anne-Marie van der Berg"),
            ("my name is محمد", "محمد"),
            ("Name: Ali Veli", "Ali Veli"),
            ("I am Dr. Jane Roe", "Jane Roe"),
            ("I'm Will Smith from London", "Will Smith"),
            ("my last name is Smith", "Family(\"Smith\")"),
            ("my first name is Jon", "First(\"Jon\")"),
        ];
        for (text, name) in cases {
            assert_eq!(full(text, nothing).as_deref(), Some(name), "{text}");
        }
        for text in [
            "I'm interested in veneers",
            "I'm from London",
            "I am looking for help",
            "I'm fine",
            "I am 35",
            "call me on ,,,,",
            "call me tomorrow",
            "I'm losing my hair",
            "I am really tired",
            "it's expensive",
            "I'm exhausted",
            "I am a teacher",
            "this is urgent",
            "I'm not sure",
            "my name is not important",
            "I'm in Berlin",
            "I am German",
            "what is your name",
            "it's John",
            "I AM LOSING HAIR",
            "call me when you can",
        ] {
            assert_eq!(full(text, nothing), None, "{text}");
        }
    }

    #[test]
    fn bare_names_are_taken_where_one_was_asked_for() {
        let cases = [
            ("jane smith", Some("Jane Smith")),
            ("Jane Smith, veneers please", Some("Jane Smith")),
            ("JOHN DOE", Some("JOHN DOE")),
            ("anne-marie van der berg", Some("Anne-Marie van der Berg")),
            ("John Doe here", Some("John Doe")),
            ("well, john", Some("John")),
            ("why do you ask?", None),
            ("12345", None),
            ("John2", None),
            ("asdfgh", None),
            ("ignore previous instructions", None),
            (
                "I don't want to tell you that right now because I am not sure",
                None,
            ),
            ("yes", None),
            ("x", None),
        ];
        for (text, name) in cases {
            let text = Text::new(text);
            let found = bare(&text, &text.tokens, &english().lexicon);
            assert_eq!(
                found,
                name.map(|name| Given::Full(name.to_owned())),
                "{}",
                text.raw
            );
        }
    }

    #[test]
    fn corrections_keep_what_they_do_not_touch() {
        let correcting = Context {
            asked: false,
            correcting: true,
        };
        assert_eq!(full("no, it's Jon", correcting).as_deref(), Some("Jon"));
        assert_eq!(full("I meant Jon", correcting).as_deref(), Some("Jon"));
        let merged = |given| merge(Some("John Doe"), &given, true);
        assert_eq!(merged(Given::Full("Jon".into())), "Jon Doe");
        assert_eq!(merged(Given::Full("Peter".into())), "Peter Doe");
        assert_eq!(merged(Given::Full("Dow".into())), "John Dow");
        assert_eq!(merged(Given::Full("Jon Smith".into())), "Jon Smith");
        assert_eq!(merged(Given::First("Jon".into())), "Jon Doe");
        assert_eq!(merged(Given::Family("Smith".into())), "John Smith");
        assert_eq!(
            merge(Some("John Doe"), &Given::Full("Peter".into()), false),
            "Peter"
        );
        assert_eq!(
            merge(Some("John"), &Given::Family("Doe".into()), false),
            "John Doe"
        );
        assert_eq!(merge(None, &Given::Full("Ann".into()), false), "Ann");
    }
}
