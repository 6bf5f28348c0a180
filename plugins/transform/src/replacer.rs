//! Replaces byte strings in a stream, wherever its chunks begin and end.

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use std::sync::Arc;

/// What is replaced by what.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Leftmost-longest: `http://a` and `http://a.b` may both be there, and the longer one wins
    /// whatever their order.
    matcher: AhoCorasick,
    from: Vec<Vec<u8>>,
    to: Vec<Vec<u8>>,
    longest: usize,
}

impl Rules {
    /// Rules of `(from, to)`; no `from` may be empty.
    pub(crate) fn new(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Self, BuildError> {
        let (from, to): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let matcher = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&from)?;
        let longest = from.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Self { matcher, from, to, longest })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.from.is_empty()
    }

    /// Where the end of `bytes`, from `start` on, could be the start of more: the first position
    /// whose rest is the beginning of a `from` and not all of it.
    fn open_end(&self, bytes: &[u8], start: usize) -> usize {
        let first = start.max((bytes.len() + 1).saturating_sub(self.longest));
        let begins = |rest: &[u8]| {
            self.from.iter().any(|from| from.len() > rest.len() && from.starts_with(rest))
        };
        (first..bytes.len()).find(|&at| begins(&bytes[at..])).unwrap_or(bytes.len())
    }
}

/// One stream under replacement.
///
/// Holds back no more than what could still become a match, so at most one byte less than the
/// longest `from`, and nothing of a stream that pauses at another place, as server-sent events do.
#[derive(Debug)]
pub(crate) struct Replacer {
    rules: Arc<Rules>,
    held: Vec<u8>,
}

impl Replacer {
    pub(crate) fn new(rules: Arc<Rules>) -> Self {
        Self { rules, held: Vec::new() }
    }

    /// Takes a chunk, and gives what is certain by now; none if that is the chunk as it is.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        let joined;
        let input = if self.held.is_empty() {
            chunk
        } else {
            joined = [&self.held[..], chunk].concat();
            &joined
        };

        let mut output = Vec::new();
        let mut done = 0;
        let mut open = self.rules.open_end(input, 0);
        for found in self.rules.matcher.find_iter(input) {
            // A match that starts where a longer one may start is not certain, and one after that
            // overlaps it.
            if found.start() >= open {
                break;
            }
            output.extend_from_slice(&input[done..found.start()]);
            output.extend_from_slice(&self.rules.to[found.pattern().as_usize()]);
            done = found.end();
            if done > open {
                open = self.rules.open_end(input, done);
            }
        }
        if done == 0 && open == input.len() && self.held.is_empty() {
            return None;
        }
        output.extend_from_slice(&input[done..open]);
        self.held = input[open..].to_vec();
        Some(output)
    }

    /// The stream is over: what was held back, since nothing completes it now.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.rules.matcher.replace_all_bytes(&held, &self.rules.to)
    }
}

#[cfg(test)]
mod tests {
    use super::{Replacer, Rules};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn rules(pairs: &[(&str, &str)]) -> Arc<Rules> {
        let pairs = pairs.iter().map(|&(from, to)| (from.into(), to.into()));
        Arc::new(Rules::new(pairs.collect()).unwrap())
    }

    /// The result, and the most that was held back.
    fn run(rules: &Arc<Rules>, chunks: &[&[u8]]) -> (Vec<u8>, usize) {
        let mut replacer = Replacer::new(rules.clone());
        let (mut output, mut most_held) = (Vec::new(), 0);
        for &chunk in chunks {
            match replacer.push(chunk) {
                Some(bytes) => output.extend(bytes),
                None => output.extend_from_slice(chunk),
            }
            most_held = most_held.max(replacer.held.len());
        }
        output.extend(replacer.finish());
        (output, most_held)
    }

    fn text(rules: &Arc<Rules>, chunks: &[&str]) -> String {
        let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
        String::from_utf8(run(rules, &chunks).0).unwrap()
    }

    #[test]
    fn a_match_is_found_wherever_the_chunks_end() {
        let rules = rules(&[("internal", "example.com")]);
        assert_eq!(text(&rules, &["see internal."]), "see example.com.");
        assert_eq!(text(&rules, &["see inter", "nal."]), "see example.com.");
        assert_eq!(text(&rules, &["see i", "n", "", "ternal", "."]), "see example.com.");
        assert_eq!(text(&rules, &["see inter"]), "see inter");
        assert_eq!(text(&rules, &["see inter", "im"]), "see interim");
    }

    #[test]
    fn the_longest_wins_also_when_it_comes_in_two_chunks() {
        let rules = rules(&[("http://a", "1"), ("http://a.b", "2")]);
        assert_eq!(text(&rules, &["http://a.b http://a.c http://a"]), "2 1.c 1");
        assert_eq!(text(&rules, &["http://a", ".b http://a", ".c http://a"]), "2 1.c 1");
    }

    #[test]
    fn the_end_of_a_match_may_be_the_start_of_the_next() {
        let rules = rules(&[("abcab", "1"), ("abd", "2")]);
        assert_eq!(text(&rules, &["abcab", "d"]), "1d");
        assert_eq!(text(&rules, &["abca", "babd"]), "12");
    }

    #[test]
    fn what_looks_like_a_start_may_lie_inside_another_match() {
        let rules = rules(&[("xab", "1"), ("abc", "2"), ("b", "3")]);
        assert_eq!(text(&rules, &["xab", "c"]), "1c");
        assert_eq!(text(&rules, &["ab", "c"]), "2");
        assert_eq!(text(&rules, &["ab", "x"]), "a3x");
        assert_eq!(text(&rules, &["ab"]), "a3");
    }

    #[test]
    fn what_it_puts_in_is_not_looked_at_again() {
        let rules = rules(&[("a", "aa"), ("b", "")]);
        assert_eq!(text(&rules, &["a", "b", "a"]), "aaaa");
    }

    #[test]
    fn a_chunk_without_a_match_passes_as_it_is() {
        let mut replacer = Replacer::new(rules(&[("internal", "example.com")]));
        assert_eq!(replacer.push(b"data: 1\n\n"), None);
        assert_eq!(replacer.push(b"a hint, in"), Some(b"a hint, ".to_vec()));
        assert_eq!(replacer.push(b"."), Some(b"in.".to_vec()));
        assert_eq!(replacer.push(b"data: 2\n\n"), None);
    }

    proptest! {
        #[test]
        fn chunks_at_random_give_what_the_whole_gives(
            // Few letters, so that matches overlap and begin inside each other.
            from in prop::collection::vec("[ab]{1,6}", 1..5),
            chunks in prop::collection::vec("[abc]{0,9}", 0..12),
        ) {
            let to: Vec<String> = (0..from.len()).map(|index| format!("<{index}>")).collect();
            let pairs: Vec<_> = from.iter().zip(&to).map(|(from, to)| (&**from, &**to)).collect();
            let rules = rules(&pairs);
            let whole = chunks.concat();
            let expected = rules.matcher.replace_all(&whole, &to);

            let chunks: Vec<&[u8]> = chunks.iter().map(String::as_bytes).collect();
            let (output, most_held) = run(&rules, &chunks);
            prop_assert_eq!(String::from_utf8(output).unwrap(), expected);
            prop_assert!(most_held < rules.longest);
        }
    }
}
