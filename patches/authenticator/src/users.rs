//! The file of users, in the form of `htpasswd -B`: a line `user:hash` each.

use crate::basic::Credentials;
use bcrypt::HashParts;
use plugin_interface::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// Users and their bcrypt hashes.
#[derive(Debug)]
pub(crate) struct Users {
    hashes: HashMap<String, String>,
    /// Goes with no password, and takes as long as the slowest of the others.
    stand_in: String,
}

/// Each step doubles the time; 2^15 rounds take a second or two, and a mistyped 31 would take days.
const COST_LIMIT: u32 = 15;

impl Users {
    /// Reads the file: at the start, to see that it is good, and for each password that is not
    /// remembered, next to which it costs nothing. So changes need no word to the host.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(format_args!(
                "\"users_file\": {shown}: {error}; `htpasswd -cB {shown} USER` makes one"
            ))
        })?;
        Self::parse(&text).map_err(|error| error.context(format_args!("\"users_file\": {shown}")))
    }

    fn parse(text: &str) -> Result<Self> {
        let (mut hashes, mut highest) = (HashMap::new(), 0);
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The line is not in the message: it may have a password.
            let wrong = |what: &str| Error::new(format_args!("line {}: {what}", index + 1));
            let (user, hash) = line.split_once(':').ok_or_else(|| wrong("it is not user:hash"))?;
            if user.is_empty() {
                return Err(wrong("it has no user"));
            }
            let parts: HashParts = hash
                .parse()
                .map_err(|_| wrong("its hash is not of bcrypt; `htpasswd -B` makes such"))?;
            if parts.get_cost() > COST_LIMIT {
                return Err(wrong(&format!("its hash has a cost of more than {COST_LIMIT}")));
            }
            highest = highest.max(parts.get_cost());
            if hashes.insert(user.to_owned(), hash.to_owned()).is_some() {
                return Err(wrong("its user was there before"));
            }
        }
        if hashes.is_empty() {
            return Err(Error::new("it has no users"));
        }
        Ok(Self { hashes, stand_in: format!("$2b${highest:02}${:.<53}", "") })
    }

    /// Whether this is the user's password. A user who is not there takes as long as one who is, so
    /// that the time does not tell which names to try. Takes tens of milliseconds.
    pub(crate) fn verify(&self, credentials: &Credentials) -> bool {
        let hash = self.hashes.get(&credentials.user);
        let compared = hash.unwrap_or(&self.stand_in);
        // bcrypt looks at 71 bytes; what is longer is refused and not cut off.
        let matches = bcrypt::non_truncating_verify(&credentials.password, compared);
        matches.unwrap_or(false) && hash.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Users};

    // Cost 4, the lowest: these tests are not about bcrypt's time.
    fn hash(password: &str) -> String {
        bcrypt::hash(password, 4).unwrap()
    }

    fn verify(users: &Users, user: &str, password: &str) -> bool {
        users.verify(&Credentials { user: user.to_owned(), password: password.to_owned() })
    }

    fn error(text: &str) -> String {
        Users::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_user_has_the_password_of_their_line() {
        let text =
            format!("# users\n\nalice:{}\r\njürgen:{}\n", hash("secret"), hash("pässword:1"));
        let users = Users::parse(&text).unwrap();
        assert!(verify(&users, "alice", "secret"));
        assert!(verify(&users, "jürgen", "pässword:1"));
        for (user, password) in [
            ("alice", "Secret"),
            ("alice", "secret "),
            ("alice", ""),
            ("alice", "pässword:1"),
            ("Alice", "secret"),
            ("bob", "secret"),
            ("bob", ""),
            ("", ""),
            ("# users", ""),
        ] {
            assert!(!verify(&users, user, password), "{user}:{password}");
        }
    }

    #[test]
    fn the_hashes_of_other_implementations_are_understood() {
        // From the tests of crypt_blowfish and of PHP.
        let users = Users::parse(
            "a:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n\
             b:$2y$07$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTpOq\n",
        )
        .unwrap();
        assert!(verify(&users, "a", "U*U"));
        assert!(verify(&users, "b", "rasmuslerdorf"));
    }

    #[test]
    fn an_unknown_user_costs_what_the_dearest_known_one_does() {
        let dear = bcrypt::hash("x", 6).unwrap();
        let users = Users::parse(&format!("a:{}\nb:{dear}\n", hash("x"))).unwrap();
        let stand_in: bcrypt::HashParts = users.stand_in.parse().unwrap();
        assert_eq!(stand_in.get_cost(), 6);
    }

    #[test]
    fn a_password_is_not_cut_off() {
        let (long, cut) = ("x".repeat(80), "x".repeat(72));
        let users = Users::parse(&format!("a:{}\n", hash(&long))).unwrap();
        assert!(!verify(&users, "a", &cut));
        assert!(!verify(&users, "a", &long));
    }

    #[test]
    fn a_wrong_file_is_refused_by_its_line_and_without_its_content() {
        let good = hash("x");
        assert_eq!(error(""), "it has no users");
        assert_eq!(error("# a:b\n"), "it has no users");
        assert_eq!(error("\nalice\n"), "line 2: it is not user:hash");
        assert_eq!(error(&format!(":{good}")), "line 1: it has no user");
        let plain = error("alice:secret");
        assert_eq!(plain, "line 1: its hash is not of bcrypt; `htpasswd -B` makes such");
        let sha1 = "alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=";
        assert!(error(sha1).starts_with("line 1: its hash is not of bcrypt"));
        let dear = good.replacen("$04$", "$16$", 1);
        assert_eq!(error(&format!("a:{dear}")), "line 1: its hash has a cost of more than 15");
        assert_eq!(error(&format!("a:{good}\na:{good}")), "line 2: its user was there before");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Users::read("/nonexistent/users".as_ref()).unwrap_err().to_string();
        assert!(error.starts_with("\"users_file\": /nonexistent/users: No such file"), "{error}");
        assert!(error.ends_with("`htpasswd -cB /nonexistent/users USER` makes one"), "{error}");
    }
}
