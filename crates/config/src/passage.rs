//! Where a part of a text stands in its file: behind quotes and escapes, and in the lines that were folded into one.

use std::ops::Range;

use crate::tree::Span;

/// How a text may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As it reads: plain, or a block.
    Bare,
    /// `'…'`: a quote is written twice.
    Single,
    /// `"…"`: with escapes.
    Double,
}

/// Where it is: the line, and the character in it, both from 0.
#[derive(Clone, Copy)]
struct At {
    line: usize,
    column: usize,
}

/// Where some characters of a text stand, which is at `whole` in its file. What goes over several lines is shown by the
/// first of them. `None` where the text is not found there: it was written in a way that is not followed here.
pub(crate) fn find(file: &str, whole: Span, value: &str, part: &Range<u32>) -> Option<Span> {
    let lines: Vec<Vec<char>> = file.lines().map(|line| line.chars().collect()).collect();
    let line = whole.line.saturating_sub(1) as usize;
    let column = whole.column.saturating_sub(1) as usize;
    let first = At { line, column };
    let below = || Some(At { line: line + 1, column: indent(lines.get(line + 1)?) });
    let places = follow(&lines, first, Style::Bare, value)
        .or_else(|| follow(&lines, At { column: column + 1, ..first }, Style::Double, value))
        .or_else(|| follow(&lines, At { column: column + 1, ..first }, Style::Single, value))
        .or_else(|| follow(&lines, below()?, Style::Bare, value))?;
    let start = places.get(part.start as usize)?;
    let end = places.get(part.end as usize).filter(|end| end.line == start.line);
    let end = end.map_or_else(|| lines.get(start.line).map_or(0, Vec::len), |end| end.column);
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Some(Span {
        line: small(start.line + 1),
        column: small(start.column + 1),
        width: small(end.saturating_sub(start.column).max(1)),
    })
}

/// The place of each character, and of the end behind the last one.
fn follow(lines: &[Vec<char>], from: At, style: Style, value: &str) -> Option<Vec<At>> {
    let mut at = from;
    let mut places = Vec::new();
    for wanted in value.chars() {
        places.push(at);
        let rest = lines.get(at.line)?.get(at.column..)?;
        // The end of a line is a space or a break of the text.
        if matches!(wanted, ' ' | '\n') && rest.iter().all(|c| c.is_whitespace()) {
            at.line += 1;
            while wanted == '\n' && lines.get(at.line).is_some_and(|line| indent(line) == line.len()) {
                at.line += 1;
            }
            at.column = indent(lines.get(at.line)?);
            continue;
        }
        let (found, width) = match (style, rest) {
            (Style::Double, ['\\', escape @ ..]) => escaped(escape)?,
            (Style::Single, ['\'', '\'', ..]) => ('\'', 2),
            (_, [found, ..]) => (*found, 1),
            (_, []) => return None,
        };
        if found != wanted {
            return None;
        }
        at.column += width;
    }
    places.push(at);
    Some(places)
}

/// What an escape means, and how many characters it is with its backslash.
fn escaped(escape: &[char]) -> Option<(char, usize)> {
    let hex = |digits: usize| {
        let text: String = escape.get(1..=digits)?.iter().collect();
        Some((char::from_u32(u32::from_str_radix(&text, 16).ok()?)?, digits + 2))
    };
    match escape.first()? {
        'n' => Some(('\n', 2)),
        't' => Some(('\t', 2)),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        same @ ('"' | '\\' | '/' | ' ') => Some((*same, 2)),
        _ => None,
    }
}

/// How far a line is indented, in characters.
fn indent(line: &[char]) -> usize {
    line.iter().take_while(|c| c.is_whitespace()).count()
}
