//! Halves of surrogate pairs in JSON: `"\ud83d"`, where somebody has cut a text within an emoji. No Unicode text has them, so
//! serde_json refuses the whole body for one of them, and with it all that others wrote.

/// What stands for a half: U+FFFD.
const REPLACEMENT: &[u8] = br"\ufffd";

/// The body with each half replaced; `None` where it has none.
pub(super) fn replaced(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    let mut found = false;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        let length = match unit(escape) {
            Some(0xd800..=0xdbff) if matches!(unit(&escape[6..]), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                found = true;
                out.extend_from_slice(REPLACEMENT);
                rest = &escape[6..];
                continue;
            }
            Some(_) => 6,
            // A backslash that is escaped begins nothing: `\\ud83d` is text.
            None => escape.len().min(2),
        };
        out.extend_from_slice(&escape[..length]);
        rest = &escape[length..];
    }
    out.extend_from_slice(rest);
    found.then_some(out)
}

/// The UTF-16 unit that an escape at the beginning of a text names.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn halves_are_replaced_and_pairs_and_texts_about_them_are_left() {
        let cases = [
            (r#"{"a":"cut \ud83d"}"#, Some(r#"{"a":"cut \ufffd"}"#)),
            (r#""\uDE00 behind""#, Some(r#""\ufffd behind""#)),
            (r#""\ud83d\u0041\ud83d\n""#, Some(r#""\ufffd\u0041\ufffd\n""#)),
            (
                r#""\ud83d\ud83d\ude00\ude00""#,
                Some(r#""\ufffd\ud83d\ude00\ufffd""#),
            ),
            (r#""\\\ud83d""#, Some(r#""\\\ufffd""#)),
            (r#""\ud83d\\ude00""#, Some(r#""\ufffd\\ude00""#)),
            (r#""a whole one: \ud83d\ude00""#, None),
            (r#""in words: \\ud83d \\\\ud83d""#, None),
            (r#""\ud8"#, None),
            (r#""\"#, None),
            ("no json", None),
        ];
        for (body, expected) in cases {
            let replaced = replaced(body.as_bytes()).map(|body| String::from_utf8(body).unwrap());
            assert_eq!(replaced.as_deref(), expected, "{body}");
        }
    }
}
