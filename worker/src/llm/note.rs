//! The tool calls of a turn as they are journalled beside its text, so that whoever goes on with it makes the same ones.

use serde_json::json;

/// A call: tool and arguments.
pub(crate) type Made = (String, String);

/// The largest note. Calls that would not fit are not made.
const MAX: usize = 48 << 10;

/// Writes calls as printable ASCII; `None` where they are too many.
pub(crate) fn write(calls: &[Made]) -> Option<String> {
    let mut out = String::new();
    for character in json!(calls).to_string().chars() {
        match character {
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    (out.len() <= MAX).then_some(out)
}

/// Reads them.
pub(crate) fn read(note: Option<&str>) -> Vec<Made> {
    note.and_then(|note| serde_json::from_str(note).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn calls_survive_a_header() {
        let calls = vec![(
            "save_details".to_owned(),
            "{\"name\":\"Ayşe 😀\\n\"}\u{7f}".to_owned(),
        )];
        let note = super::write(&calls).unwrap();
        assert!(note.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        assert_eq!(super::read(Some(&note)), calls);
        assert!(super::read(Some("[[1")).is_empty());
    }
}
