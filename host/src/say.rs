//! What commands print.

use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Result, Write, stdout};

/// As `println!`, with an error in place of a panic.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::say::write(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// Writes it to the standard output. A reader who has gone, as in `host locks list | head -1`, has seen
/// enough: that is no error.
pub(crate) fn write(text: Arguments<'_>) -> Result<()> {
    let mut out = stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        // By then a command has done what it was told.
        written => written.map_err(|error| {
            Error::new(error.kind(), format!("what it prints cannot be written: {error}"))
        }),
    }
}
