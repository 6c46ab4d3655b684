//! Markdown as WhatsApp writes it: `*bold*`, `_italic_`, `~struck~`, `` `code` ``, and no links, headings or tables.
//!
//! WhatsApp reads a mark only at the edge of a word and within a line, so pairs are looked for line by line, and what stands in
//! the middle of a word loses its marks.

/// The text with WhatsApp's marks. Text without Markdown stays as it is.
pub fn marks(markdown: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut fence: Option<&str> = None;
    for line in markdown.lines() {
        let trimmed = line.trim();
        if let Some(mark) = fence {
            if trimmed.starts_with(mark) {
                fence = None;
                lines.push("```".into());
            } else {
                lines.push(line.to_owned());
            }
            continue;
        }
        fence = ["```", "~~~"]
            .into_iter()
            .find(|mark| trimmed.starts_with(mark) && !trimmed[mark.len()..].contains('`'));
        if fence.is_some() {
            lines.push("```".into());
        } else if !is_rule(trimmed) {
            lines.push(block(line));
        }
    }
    if fence.is_some() {
        lines.push("```".into());
    }
    lines.join("\n")
}

/// A thematic break, or the line under a table's head.
fn is_rule(line: &str) -> bool {
    let only = |mark: char| {
        line.chars().all(|c| c == mark || c == ' ') && line.chars().filter(|c| *c == mark).count() >= 3
    };
    ['-', '*', '_'].into_iter().any(only)
        || (line.starts_with('|') && line.contains("--") && line.chars().all(|c| "|-: ".contains(c)))
}

fn block(line: &str) -> String {
    let line = line.trim_end();
    let text = line.trim_start();
    let indent = &line[..line.len() - text.len()];
    let hashes = text.bytes().take_while(|byte| *byte == b'#').count();
    if (1..=6).contains(&hashes) && text[hashes..].starts_with(' ') {
        let title = inline(text[hashes..].trim().trim_end_matches('#').trim_end(), true);
        return if title.is_empty() {
            title
        } else {
            format!("*{title}*")
        };
    }
    for bullet in ["- ", "* ", "+ "] {
        if let Some(item) = text.strip_prefix(bullet) {
            return format!("{indent}- {}", inline(item.trim_start(), false));
        }
    }
    if let Some(row) = text.strip_prefix('|').and_then(|row| row.strip_suffix('|')) {
        let cells: Vec<String> = row.split('|').map(|cell| inline(cell.trim(), false)).collect();
        return cells.join(" | ");
    }
    format!("{indent}{}", inline(text, false))
}

/// What stands within a line; `bold` where all of it is bold already.
fn inline(text: &str, bold: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        at = verbatim(&chars, at, &mut out)
            .or_else(|| link(&chars, at, bold, &mut out))
            .or_else(|| emphasis(&chars, at, bold, &mut out))
            .unwrap_or_else(|| {
                out.push(chars[at]);
                at + 1
            });
    }
    out
}

/// Escapes, code, bare addresses and line breaks; returns where to go on.
fn verbatim(chars: &[char], at: usize, out: &mut String) -> Option<usize> {
    let rest = &chars[at..];
    match rest {
        ['\\', escaped, ..] if escaped.is_ascii_punctuation() => {
            out.push(*escaped);
            Some(at + 2)
        }
        ['`', ..] => {
            let ticks = run(chars, at);
            let mut end = at + ticks;
            while end < chars.len() {
                let found = run_of('`', chars, end);
                if found == ticks {
                    let code: String = chars[at + ticks..end].iter().collect();
                    let mark = if code.contains('`') { "```" } else { "`" };
                    out.extend([mark, code.trim(), mark]);
                    return Some(end + ticks);
                }
                end += found.max(1);
            }
            out.extend(std::iter::repeat_n('`', ticks));
            Some(at + ticks)
        }
        ['<', ..] => {
            let end = at + rest.iter().position(|c| *c == '>')?;
            let within: String = chars[at + 1..end].iter().collect();
            if ["br", "br/", "br /"].contains(&within.as_str()) {
                out.push('\n');
            } else if !within.contains(' ') && (within.contains("://") || within.contains('@')) {
                out.push_str(within.trim_start_matches("mailto:"));
            } else {
                return None;
            }
            Some(end + 1)
        }
        ['h', 't', 't', 'p', ..] => {
            let word = rest
                .iter()
                .position(|c| c.is_whitespace() || "<>|".contains(*c))
                .unwrap_or(rest.len());
            let address: String = rest[..word].iter().collect();
            if !address.starts_with("http://") && !address.starts_with("https://") {
                return None;
            }
            // Marks around an address are not part of it.
            let address = address.trim_end_matches(['*', '_', '~', ')', '.', ',']);
            out.push_str(address);
            Some(at + address.chars().count())
        }
        _ => None,
    }
}

/// `[text](address)` and `![text](address)` as text and address.
fn link(chars: &[char], at: usize, bold: bool, out: &mut String) -> Option<usize> {
    let open = match &chars[at..] {
        ['[', ..] => at,
        ['!', '[', ..] => at + 1,
        _ => return None,
    };
    let close = matching(chars, open, '[', ']')?;
    if chars.get(close + 1) != Some(&'(') {
        return None;
    }
    let end = matching(chars, close + 1, '(', ')')?;
    let target: String = chars[close + 2..end].iter().collect();
    let address = target.split_whitespace().next().unwrap_or_default();
    let shown = address.trim_start_matches("mailto:").trim_start_matches("tel:");
    let text: String = chars[open + 1..close].iter().collect();
    let text = inline(text.trim(), bold);
    match (text.as_str(), shown) {
        ("", shown) => out.push_str(shown),
        (text, "") => out.push_str(text),
        (text, shown) if text == shown => out.push_str(shown),
        (text, shown) => out.push_str(&format!("{text} ({shown})")),
    }
    Some(end + 1)
}

fn matching(chars: &[char], open: usize, opening: char, closing: char) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in chars.iter().enumerate().skip(open) {
        if *c == opening {
            depth += 1;
        } else if *c == closing {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// A pair of `*`, `_` or `~` with what it marks.
fn emphasis(chars: &[char], at: usize, bold: bool, out: &mut String) -> Option<usize> {
    let mark = chars[at];
    if !matches!(mark, '*' | '_' | '~') {
        return None;
    }
    let length = run(chars, at);
    let before = at.checked_sub(1).map(|before| chars[before]);
    let opens = chars.get(at + length).is_some_and(|next| !next.is_whitespace());
    let in_word = before.is_some_and(char::is_alphanumeric);
    // `__` and `**` mark parts of words, too; `_` and `*` there are names and sums.
    let may_open = opens && length <= 3 && !(in_word && (length == 1 || mark == '_'));
    let closed = may_open.then(|| closing(chars, at, length)).flatten();
    let Some(close) = closed else {
        out.extend(std::iter::repeat_n(mark, length));
        return Some(at + length);
    };
    let within: String = chars[at + length..close].iter().collect();
    let end = close + length;
    let is_bold = mark != '~' && length >= 2;
    let within = inline(&within, bold || is_bold);
    let next_to_a_word = in_word || chars.get(end).is_some_and(|next| next.is_alphanumeric());
    let around = match (mark, length) {
        _ if next_to_a_word => "",
        ('~', _) => "~",
        (_, 1) => "_",
        (_, 2) if bold => "",
        (_, 2) => "*",
        _ if bold => "_",
        _ => "*_",
    };
    out.push_str(around);
    out.push_str(&within);
    out.extend(around.chars().rev());
    Some(end)
}

/// Where the run that closes the one at `open` begins, of which the last `length` count.
fn closing(chars: &[char], open: usize, length: usize) -> Option<usize> {
    let mark = chars[open];
    let mut longer = None;
    let mut at = open + length;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '`' => {
                let mut skipped = String::new();
                at = verbatim(chars, at, &mut skipped).unwrap_or(at + 1);
            }
            c if c == mark => {
                let found = run(chars, at);
                let after_text = !chars[at - 1].is_whitespace() && at > open + length;
                let next = chars.get(at + found);
                let at_edge = next.is_none_or(|next| !next.is_alphanumeric());
                if after_text && (at_edge || (length > 1 && mark != '_')) {
                    if found == length {
                        return Some(at);
                    }
                    if found > length && longer.is_none() {
                        longer = Some(at + found - length);
                    }
                }
                at += found;
            }
            _ => at += 1,
        }
    }
    longer
}

fn run(chars: &[char], at: usize) -> usize {
    run_of(chars[at], chars, at)
}

fn run_of(mark: char, chars: &[char], at: usize) -> usize {
    chars[at..].iter().take_while(|c| **c == mark).count()
}

#[cfg(test)]
mod tests {
    use super::marks;

    #[test]
    fn markdown_becomes_what_whatsapp_reads() {
        for (markdown, expected) in [
            ("**bold** and __bold__", "*bold* and *bold*"),
            ("*italic* and _italic_", "_italic_ and _italic_"),
            ("***both*** at once", "*_both_* at once"),
            ("**bold *and italic* text**", "*bold _and italic_ text*"),
            ("**a *b***", "*a _b_*"),
            ("~~old~~ ~older~", "~old~ ~older~"),
            ("`let x = *p*;`", "`let x = *p*;`"),
            ("``a ` b``", "```a ` b```"),
            ("# A **title** #", "*A title*"),
            ("* one\n+ two\n- *three*", "- one\n- two\n- _three_"),
            ("  - nested", "  - nested"),
            (
                "[our page](https://a.example/b_c_d)",
                "our page (https://a.example/b_c_d)",
            ),
            ("[https://a.example](https://a.example)", "https://a.example"),
            ("[a@b.example](mailto:a@b.example)", "a@b.example"),
            (
                "![A picture](https://a.example/p.png \"title\")",
                "A picture (https://a.example/p.png)",
            ),
            (
                "<https://a.example/_x_> <a@b.example>",
                "https://a.example/_x_ a@b.example",
            ),
            ("**[page](https://a.example)**", "*page (https://a.example)*"),
            ("**https://a.example**", "*https://a.example*"),
            (
                "| Day | Open |\n|-----|:----:|\n| Mon | **9-18** |",
                "Day | Open\nMon | *9-18*",
            ),
            ("above\n\n---\n\nbelow", "above\n\n\nbelow"),
            (
                "```rust\nlet **x** = 1;\n```\n**after**",
                "```\nlet **x** = 1;\n```\n*after*",
            ),
            ("```\nnever closed", "```\nnever closed\n```"),
            ("un**believ**able", "unbelievable"),
            ("one<br>two  \nthree", "one\ntwo\nthree"),
            ("\\*as it is\\* \\_too", "*as it is* _too"),
            ("> **quoted**", "> *quoted*"),
            ("**not closed", "**not closed"),
            ("**الموعد** غدا", "*الموعد* غدا"),
        ] {
            assert_eq!(marks(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in [
            "• Name: John Doe\n• Contact: john_f_doe@mail.example",
            "2 * 3 * 4 is 24, and 2*3*4, too",
            "snake_case_name and __init",
            "https://a.example/x_y_z?q=*a*&r=~b~ (see there)",
            "1. first\n2) second\n\nArray [1] (2)",
            "5 < 6 > 4, \"quoted\", +90 212 000 00 00",
            "Günaydın 😀! #1 in Istanbul – 50 %",
            "a `tick",
        ] {
            assert_eq!(marks(text), text);
        }
    }
}
