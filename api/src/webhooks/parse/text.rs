//! Texts of strangers, made fit to be stored.

/// Bytes of a text at most, as on the website.
const MAX_CONTENT: usize = 64 * 1024;

/// Bytes of a name or a type at most.
const MAX_NAME: usize = 255;

/// The text without NUL, which PostgreSQL does not store, and not longer than any message may be.
pub(super) fn clean(text: &str) -> String {
    cut(text, MAX_CONTENT)
}

/// A name in one line.
pub(super) fn name(text: &str) -> Option<String> {
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    let line = cut(line.trim(), MAX_NAME);
    (!line.is_empty()).then_some(line)
}

fn cut(text: &str, most: usize) -> String {
    let mut text = text.replace('\0', "");
    text.truncate(text.floor_char_boundary(most));
    text
}

/// A provider's name of something: visible ASCII.
pub(super) fn id(text: &str) -> Option<&str> {
    let is_id = (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_id.then_some(text)
}

/// A place on the map: `📍 41.0082, 28.9784 (Hagia Sophia, Istanbul)`.
pub(super) fn place(latitude: &str, longitude: &str, names: &[Option<&str>]) -> Option<String> {
    let is_number = |text: &str| text.parse().is_ok_and(f64::is_finite);
    if !is_number(latitude) || !is_number(longitude) {
        return None;
    }
    let names: Vec<&str> = names
        .iter()
        .flatten()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty())
        .collect();
    Some(if names.is_empty() {
        format!("📍 {latitude}, {longitude}")
    } else {
        format!("📍 {latitude}, {longitude} ({})", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgresql_would_refuse_is_taken_out_and_what_is_too_long_is_cut() {
        assert_eq!(clean("a\0b"), "ab");
        let long = "é".repeat(MAX_CONTENT);
        assert_eq!(clean(&long).len(), MAX_CONTENT);
        assert_eq!(clean(&format!("a{long}")).len(), MAX_CONTENT - 1);
        assert_eq!(name(" x-ray\n\0.pdf ").as_deref(), Some("x-ray.pdf"));
        assert_eq!(name(" \n"), None);
    }

    #[test]
    fn a_place_has_numbers_and_perhaps_names() {
        assert_eq!(
            place("41.0082", "28.9784", &[None]).as_deref(),
            Some("📍 41.0082, 28.9784")
        );
        let named = place("41", "-28", &[Some("Hagia Sophia"), Some(" "), Some("Istanbul")]);
        assert_eq!(named.as_deref(), Some("📍 41, -28 (Hagia Sophia, Istanbul)"));
        for bad in ["", "north", "NaN"] {
            assert_eq!(place(bad, "1", &[]), None);
        }
    }
}
