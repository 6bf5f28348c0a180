//! Tables for the terminal.

use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// A width for where there is no terminal to fit into: everything is shown whole.
pub(crate) const UNBOUNDED: usize = usize::MAX / 2;
/// Between two columns.
const GAP: usize = 2;
/// No column is cut to less.
const LEAST: usize = 8;

/// Columns as wide as what is in them, under their heads. If they are wider than `width` together, the
/// widest is cut, and so on until they fit.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]], width: usize) -> String {
    let head = head.map(str::to_owned);
    let rows = || std::iter::once(&head).chain(rows);
    let mut widths = [0; N];
    for row in rows() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let gaps = GAP * N.saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let Some(widest) = widths.iter_mut().max().filter(|it| **it > LEAST) else { break };
        *widest -= 1;
    }
    let mut text = String::new();
    for row in rows() {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let cell = cut(cell, *width);
            let space = width + GAP - cell.width().min(width + GAP);
            // Writing to a String does not fail.
            let _ = write!(line, "{cell}{:space$}", "");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// At most so wide; what is cut off is shown by a sign.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for letter in text.chars() {
        short.push(letter);
        if short.width() >= width {
            short.pop();
            break;
        }
    }
    short.push('…');
    short
}

/// Plugins write messages, and users who fail to log in choose names: what would move the cursor or
/// turn the direction of writing is written out.
pub(crate) fn visible(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() || turns(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<[String; 2]> {
        [["a", "short"], ["b", "a text that is long enough to be cut"]]
            .map(|row| row.map(str::to_owned))
            .to_vec()
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let text = table(["NAME", "TEXT"], &rows(), 200);
        let expected = "NAME  TEXT\na     short\nb     a text that is long enough to be cut\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_does_not_fit_is_cut_from_the_widest() {
        let text = table(["NAME", "TEXT"], &rows(), 20);
        assert_eq!(text, "NAME  TEXT\na     short\nb     a text that i…\n");
        assert!(table(["NAME", "TEXT"], &rows(), 1).contains("a text …"), "to the least");
    }

    #[test]
    fn letters_of_two_columns_count_as_two() {
        assert_eq!(cut("猫猫猫", 4), "猫…");
        assert_eq!(cut("猫猫", 4), "猫猫");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(visible("a\u{1b}[2J\n\u{202e}b"), "a\\u{1b}[2J\\n\\u{202e}b");
    }
}
