//! When two values mean the same, although a model has worded one of them.

use serde_json::Value;

use super::Engine;

/// Whether a value of the state is the expected one. A model may write "a knee replacement" where "knee replacement" is meant,
/// and names in other letters' case; what our tools normalise (dates, the clinic's treatments) has one form only.
#[must_use]
pub fn value(expected: &Value, found: &Value, engine: Engine) -> bool {
    if found == expected || expected == "" && (found.is_null() || *found == serde_json::json!([])) {
        return true;
    }
    if engine == Engine::Rules {
        return false;
    }
    match (expected, found) {
        (Value::String(expected), Value::String(found)) => !expected.is_empty() && holds(found, expected),
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .zip(found)
                    .all(|(expected, found)| value(expected, found, engine))
        }
        _ => false,
    }
}

/// Whether all effects are the expected ones, each in its short form; a model may have those that are `optional`, or not.
#[must_use]
pub fn effects(expected: &[String], optional: &[String], found: &[String], engine: Engine) -> bool {
    if engine == Engine::Rules {
        return expected == found;
    }
    let free = |effect: &&String| !optional.iter().any(|free| same(free, effect));
    let expected: Vec<&String> = expected.iter().filter(free).collect();
    let found: Vec<&String> = found.iter().filter(free).collect();
    expected.len() == found.len()
        && expected
            .iter()
            .zip(found)
            .all(|(expected, found)| same(expected, found))
}

/// `text` has `fragment` in it, in any case of letters; "a|b" is either.
#[must_use]
pub fn says(text: &str, fragment: &str) -> bool {
    fragment.split('|').any(|fragment| holds(text, fragment))
}

fn holds(text: &str, fragment: &str) -> bool {
    // The small form of the Turkish "İ" is two characters.
    let small = |text: &str| text.to_lowercase().replace('\u{307}', "");
    small(text).contains(&small(fragment))
}

fn same(expected: &str, found: &str) -> bool {
    let (Some((kind, expected)), Some((other, found))) = (expected.split_once(' '), found.split_once(' '))
    else {
        return false;
    };
    let (expected, found): (Vec<&str>, Vec<&str>) =
        (expected.split(" | ").collect(), found.split(" | ").collect());
    if kind != other || expected.len() != found.len() {
        return false;
    }
    match (expected.as_slice(), found.as_slice()) {
        ([name, treatment, contact, time], [its_name, its_treatment, its_contact, its_time]) => {
            holds(its_name, name)
                && holds(its_treatment, treatment)
                && contact.split(", ").all(|contact| holds(its_contact, contact))
                && when(time, its_time)
        }
        (expected, found) => expected
            .iter()
            .zip(found)
            .all(|(expected, found)| holds(found, expected)),
    }
}

/// The dates are the same, as our tools write them behind the words; where there are none, something is said.
fn when(expected: &str, found: &str) -> bool {
    let dates = |text: &str| {
        let (_, dates) = text.strip_suffix(')')?.rsplit_once('(')?;
        Some(dates.to_owned())
    };
    dates(expected) == dates(found) && !found.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WANTED: &str = "consultation John Doe | knee replacement | 555 1234567, j@example.com | Friday at 3 (Friday 27 November 2026)";

    #[test]
    fn a_model_may_word_what_the_rules_may_not() {
        let said = "consultation john doe | a knee replacement | 555 1234567, j@example.com | on Friday, 3 pm (Friday 27 November 2026)";
        let (wanted, said) = ([WANTED.to_owned()], [said.to_owned()]);
        assert!(effects(&wanted, &[], &said, Engine::Model));
        assert!(!effects(&wanted, &[], &said, Engine::Rules));
        let name = ["name Robert".to_owned()];
        assert!(effects(&[], &name, &name, Engine::Model) && effects(&name, &name, &[], Engine::Model));
        assert!(!effects(&[], &name, &name, Engine::Rules));
        assert!(value(&json!("İsmail"), &json!("ismail"), Engine::Model));
        assert!(value(&json!("John Doe"), &json!("JOHN DOE"), Engine::Model));
        assert!(!value(&json!("John Doe"), &json!("JOHN DOE"), Engine::Rules));
        assert!(value(&json!(["nose"]), &json!(["my nose"]), Engine::Model));
        assert!(
            value(&json!(""), &json!(null), Engine::Rules) && value(&json!(""), &json!([]), Engine::Model)
        );
        assert!(says("From €1.900", "1,900|1.900") && !says("From €1900", "1,900|1.900"));
    }

    #[test]
    fn what_is_different_is_different_for_a_model_too() {
        for (from, to) in [
            ("John Doe", "Jon Doe"),
            ("knee", "hip"),
            ("555 1234567", "555 1234568"),
            (", j@example.com", ""),
            ("27 November", "4 December"),
            (" (Friday 27 November 2026)", ""),
            ("consultation", "name"),
        ] {
            let other = [WANTED.replace(from, to)];
            assert!(!effects(&[WANTED.to_owned()], &[], &other, Engine::Model), "{to}");
        }
        let name = ["name A".to_owned()];
        assert!(!effects(&[], &["name B".to_owned()], &name, Engine::Model));
        let (no, yes) = (["consent no".to_owned()], ["consent yes".to_owned()]);
        assert!(!effects(&no, &[], &yes, Engine::Model));
        assert!(!value(&json!("x"), &json!(null), Engine::Model));
        assert!(!value(&json!(""), &json!("x"), Engine::Model));
        assert!(!value(&json!(["a"]), &json!(["a", "b"]), Engine::Model));
    }
}
