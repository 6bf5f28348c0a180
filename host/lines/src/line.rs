//! JSON as lines.

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

#[cfg(test)]
mod tests {
    #[test]
    fn json_is_one_line() {
        let mut lines = Vec::new();
        super::line(b"{\"a\":1}", &mut lines);
        super::line(b"{\r\n\"a\":\n\"b\\nc\"}", &mut lines);
        assert_eq!(lines, b"{\"a\":1}\n{  \"a\": \"b\\nc\"}\n");
    }
}
