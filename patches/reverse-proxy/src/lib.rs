//! Patch of the point `reverse_proxy`: takes the prefix off the path, which the built-in forgets.

use plugin_interface::{
    Error, Exchange, HostServices, Registrar, Result, ReverseProxy, Route, Step,
};

plugin_interface::export_plugin!(register);

fn register(registrar: &mut Registrar<'_>, _: HostServices, config: &str) -> Result<()> {
    if !matches!(config.trim(), "" | "{}") {
        return Err(Error::new("this patch takes no configuration; remove it"));
    }
    registrar.reverse_proxy(StripPrefix);
    Ok(())
}

struct StripPrefix;

impl ReverseProxy for StripPrefix {
    fn rewrite(&self, exchange: &mut Exchange<'_>, route: Route<'_>) -> Result<Step> {
        if let Some(target) = strip(exchange.path(), exchange.query(), route.prefix()) {
            exchange.set_target(&target)?;
        }
        Ok(Step::Next)
    }
}

/// Path and query without the prefix; none if they stay as they are.
///
/// The prefix is compared byte by byte and ends where a segment ends: `/prefixes` is not below
/// `/prefix`. Nothing is decoded, since `%2F` in a segment is not a `/` between two (RFC 3986,
/// section 2.2). What is left begins with a slash, as origin-form has it (RFC 9112, section 3.2.1).
fn strip(path: &str, query: Option<&str>, prefix: &str) -> Option<String> {
    let prefix = prefix.trim_end_matches('/');
    if prefix.is_empty() {
        return None;
    }
    let rest = match path.strip_prefix(prefix)? {
        "" => "/",
        rest if rest.starts_with('/') => rest,
        _ => return None,
    };
    Some(match query {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::strip;

    /// Gives what the upstream sees of `target`.
    fn stripped(target: &str, prefix: &str) -> String {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        strip(path, query, prefix).unwrap_or_else(|| target.to_owned())
    }

    #[test]
    fn the_prefix_goes_and_all_else_stays() {
        let table = [
            // (prefix, what the client sends, what the upstream sees)
            ("/prefix", "/prefix/get", "/get"),
            ("/prefix", "/prefix/get/", "/get/"),
            ("/prefix", "/prefix/", "/"),
            ("/prefix", "/prefix", "/"),
            ("/prefix", "/prefix?a=1", "/?a=1"),
            ("/prefix", "/prefix/?a=1", "/?a=1"),
            ("/prefix", "/prefix/get?", "/get?"),
            ("/prefix", "/prefix//get", "//get"),
            // only the first, and only at the start
            ("/prefix", "/prefix/prefix/get", "/prefix/get"),
            ("/prefix", "/other/prefix/get", "/other/prefix/get"),
            ("/prefix", "/get?next=/prefix/x", "/get?next=/prefix/x"),
            // a segment's end, not any place in it
            ("/prefix", "/prefixfoo", "/prefixfoo"),
            ("/prefix", "/prefixfoo/get", "/prefixfoo/get"),
            ("/prefix", "/prefix%2Fget", "/prefix%2Fget"),
            ("/prefix", "/prefix;v=1/get", "/prefix;v=1/get"),
            ("/prefix", "/Prefix/get", "/Prefix/get"),
            ("/prefix", "/pre", "/pre"),
            ("/prefix", "/", "/"),
            // bytes as they came
            ("/prefix", "/prefix/a%2Fb%2f%20c", "/a%2Fb%2f%20c"),
            ("/prefix", "/prefix/a?b=%2F&c=/prefix/?d", "/a?b=%2F&c=/prefix/?d"),
            ("/prefix", "/prefix/./a/../b", "/./a/../b"),
            // deeper prefixes, and ones with a slash at the end
            ("/a/b", "/a/b/c", "/c"),
            ("/a/b", "/a/bc", "/a/bc"),
            ("/a/b", "/a", "/a"),
            ("/prefix/", "/prefix/get", "/get"),
            ("/prefix/", "/prefix", "/"),
            // no prefix
            ("/", "/get?a=1", "/get?a=1"),
            ("/", "//get", "//get"),
            ("", "/get", "/get"),
            // the server as a whole: OPTIONS * (RFC 9112, section 3.2.4)
            ("/prefix", "*", "*"),
            ("/", "*", "*"),
        ];
        for (prefix, sent, seen) in table {
            assert_eq!(stripped(sent, prefix), seen, "{sent} with the prefix {prefix}");
        }
    }

    #[test]
    fn a_path_that_stays_is_not_rebuilt() {
        assert_eq!(strip("/get", None, "/"), None);
        assert_eq!(strip("/prefixfoo", Some("a"), "/prefix"), None);
    }
}
