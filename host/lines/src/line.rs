//! JSON, and what others say, as lines.

/// Appends JSON as a line. It may have line breaks between its tokens, where a space does as well; in
/// its strings they are escaped.
pub fn line(json: &[u8], lines: &mut Vec<u8>) {
    let start = lines.len();
    lines.extend_from_slice(json);
    if memchr::memchr2(b'\n', b'\r', json).is_some() {
        for byte in &mut lines[start..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
    lines.push(b'\n');
}

/// A text of somebody else's as one line of the log, whatever is in it, of so many of its bytes.
pub fn on_one_line(text: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&text[..text.len().min(most)]).replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_somebody_says_is_one_line_and_no_command_to_a_terminal() {
        assert_eq!(super::on_one_line(b"a\nb\r\x1b[2J\xc2\x85c", 100), "a b  [2J c");
        assert_eq!(super::on_one_line("h\u{e9}".as_bytes(), 2), "h\u{fffd}");
    }

    #[test]
    fn json_is_one_line() {
        let mut lines = Vec::new();
        super::line(b"{\"a\":1}", &mut lines);
        super::line(b"{\r\n\"a\":\n\"b\\nc\"}", &mut lines);
        assert_eq!(lines, b"{\"a\":1}\n{  \"a\": \"b\\nc\"}\n");
    }
}
