//! What commands print.

/// As `println!`, but a reader who has gone, as in `host locks list | head -1`, is nobody to tell: that is
/// no panic, and no error either.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}
