//! What a server sends as text, whatever it makes of UTF-8. The decoder of events panics at a byte order mark, and gives nothing of
//! what follows a byte that belongs to no character.

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Decodes what comes in pieces, which may end within characters. What is no character is left out: most of it are halves of one
/// that was cut by a server, and nobody could read them.
#[derive(Debug, Default)]
pub(crate) struct Utf8 {
    /// The beginning of a character whose rest is to come.
    begun: Vec<u8>,
    /// Whether something was before.
    within: bool,
}

impl Utf8 {
    /// The text that the next piece completes, without any byte order mark that it begins with.
    pub(crate) fn next(&mut self, piece: &[u8]) -> String {
        let bytes = [std::mem::take(&mut self.begun), piece.to_vec()].concat();
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            // Of all but the last one the rest cannot come any more.
            self.begun.clear();
            if std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none()) {
                self.begun.extend(chunk.invalid());
            }
        }
        if !self.within {
            let unmarked = text.trim_start_matches(BYTE_ORDER_MARK);
            text.drain(..text.len() - unmarked.len());
            self.within = !text.is_empty();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Utf8;

    fn decoded(pieces: &[&[u8]]) -> Vec<String> {
        let mut utf8 = Utf8::default();
        pieces.iter().map(|piece| utf8.next(piece)).collect()
    }

    #[test]
    fn characters_may_come_in_pieces_and_what_is_none_holds_nothing_back() {
        let text = "ay ü 😀!".as_bytes();
        for size in 1..=text.len() {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(decoded(&pieces).concat(), "ay ü 😀!", "{size}");
        }
        assert_eq!(
            decoded(&[b"a\xffb\xc3", b"\xbc\xf0\x9f", b"c\xfe", b"d"]),
            ["ab", "ü", "c", "d"]
        );
        assert_eq!(
            decoded(&[b"\xe2\x82a", b"\xacb"]),
            ["a", "b"],
            "half a character ends with the next one"
        );
    }

    #[test]
    fn a_byte_order_mark_is_none_of_it() {
        for pieces in [
            &[&b"\xef\xbb\xbfdata"[..]][..],
            &[b"\xef", b"\xbb", b"\xbfda", b"ta"],
            &[b"\xef\xbb\xbf", b"", b"\xef\xbb\xbf", b"data"],
        ] {
            assert_eq!(decoded(pieces).concat(), "data", "{pieces:?}");
        }
        let within = "a\u{feff}b";
        assert_eq!(decoded(&[within.as_bytes()]), [within], "later it is a character");
    }
}
