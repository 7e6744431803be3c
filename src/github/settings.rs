//! Which repository, at which address, with which token: from the variables that a workflow run has.

use std::{fmt, time::Duration};

use super::ForgeError;

/// The variable that holds the token where none is named.
pub const TOKEN_VARIABLE: &str = "GITHUB_TOKEN";
const PUBLIC_API: &str = "https://api.github.com";

/// All that a [`super::Client`] is made from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The repository.
    pub repository: Repository,
    /// How long to wait, and for what.
    pub pace: Pace,
    pub(super) rest: Address,
    pub(super) graphql: Address,
    pub(super) token: Token,
    /// Whether a job of GitHub Actions asks.
    pub(super) is_in_actions: bool,
}

/// A repository by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its owner's login.
    pub owner: String,
    /// Its name.
    pub name: String,
}

/// How long to wait, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// All waits and failed tries together.
    pub budget: Duration,
    /// The first wait after a failure; each further one is twice as long.
    pub first: Duration,
    /// The first wait for a limit that does not say how long it lasts.
    pub unsaid_limit: Duration,
    /// At least this long from one write to the next.
    pub between_writes: Duration,
    /// For one answer.
    pub answer: Duration,
}

impl Default for Pace {
    /// GitHub's own advice: a second between writes, a minute for a limit without a date.
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(120),
            first: Duration::from_secs(1),
            unsaid_limit: Duration::from_secs(60),
            between_writes: Duration::from_secs(1),
            answer: Duration::from_secs(30),
        }
    }
}

/// A token, which no message and no `Debug` shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(pub(super) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Whether an app's installation speaks: the token of a job, too.
    pub(super) fn is_app(&self) -> bool {
        self.0.starts_with("ghs_")
    }
}

/// An address in the two parts that octocrab keeps apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `https://github.example.com`.
    pub(super) origin: String,
    /// `/api/v3`, or empty.
    pub(super) path: String,
}

impl Settings {
    /// From the variables of a workflow run: `GITHUB_REPOSITORY`, `GITHUB_API_URL`, `GITHUB_GRAPHQL_URL`, and the one that holds
    /// the token, by its name.
    ///
    /// # Errors
    /// A variable is missing, or holds something else.
    pub fn from_variables(token_variable: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ForgeError> {
        let given = |name: &str| {
            variable(name)
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let repository = given("GITHUB_REPOSITORY").ok_or_else(|| {
            ForgeError::Setup("`GITHUB_REPOSITORY` is not set; give the repository as `owner/name`".into())
        })?;
        let token = given(token_variable).ok_or_else(|| {
            ForgeError::Setup(format!(
                "`{token_variable}` is not set; give the job's token, as in `env: {{{token_variable}: ${{{{ github.token }}}}}}`"
            ))
        })?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ForgeError::Setup(format!(
                "`{token_variable}` holds no token: it has signs that none has"
            )));
        }
        let api = given("GITHUB_API_URL").unwrap_or_else(|| PUBLIC_API.into());
        let rest = Address::parse("GITHUB_API_URL", &api)?;
        let graphql = match given("GITHUB_GRAPHQL_URL") {
            Some(url) => Address::parse("GITHUB_GRAPHQL_URL", &url)?,
            None => rest.graphql(),
        };
        Ok(Self {
            repository: Repository::parse(&repository)?,
            pace: Pace::default(),
            rest,
            graphql,
            token: Token(token),
            is_in_actions: given("GITHUB_ACTIONS").as_deref() == Some("true"),
        })
    }
}

impl Repository {
    /// From `owner/name`.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self, ForgeError> {
        let is_word = |word: &str| {
            let sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            !word.is_empty() && word.len() <= 100 && word.bytes().all(sign) && !matches!(word, "." | "..")
        };
        match text.split_once('/') {
            Some((owner, name)) if is_word(owner) && is_word(name) => Ok(Self {
                owner: owner.into(),
                name: name.into(),
            }),
            _ => Err(ForgeError::Setup(format!(
                "`{}` is no repository; give it as `owner/name`",
                text.escape_debug()
            ))),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl Address {
    fn parse(variable: &str, url: &str) -> Result<Self, ForgeError> {
        let refuse = |why: &str| ForgeError::Setup(format!("`{variable}` {why}; give it as `https://HOST/PATH`"));
        let (scheme, rest) = url.split_once("://").ok_or_else(|| refuse("is no address"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'[' | b']');
        if authority.is_empty() || !authority.bytes().all(host_sign) {
            return Err(refuse("has a host that is none"));
        }
        let path_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
        if !path.bytes().all(path_sign) {
            return Err(refuse("has signs in its path that no API has"));
        }
        match scheme {
            "https" => {}
            "http" if is_this_machine(authority) => {}
            "http" => return Err(refuse("would send the token unencrypted")),
            _ => return Err(refuse("is neither https nor http")),
        }
        Ok(Self {
            origin: format!("{scheme}://{authority}"),
            path: path.trim_end_matches('/').into(),
        })
    }

    /// Where the same server answers GraphQL; GitHub Enterprise Server has `/api/v3` and `/api/graphql`.
    fn graphql(&self) -> Self {
        let path = match self.path.strip_suffix("/api/v3") {
            Some(before) => format!("{before}/api/graphql"),
            None => format!("{}/graphql", self.path),
        };
        Self {
            origin: self.origin.clone(),
            path,
        }
    }
}

fn is_this_machine(authority: &str) -> bool {
    let is_port =
        |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|host| authority.strip_prefix(host).is_some_and(is_port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, ForgeError> {
        let all = [("GITHUB_REPOSITORY", "owner/name"), ("GITHUB_TOKEN", "ghs_hidden")];
        Settings::from_variables(TOKEN_VARIABLE, |name| {
            let found = variables.iter().chain(&all).find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        settings(variables).unwrap_err().to_string()
    }

    #[test]
    fn nothing_but_a_repository_and_a_token_means_github_com() {
        let known = settings(&[]).unwrap();
        assert_eq!(known.rest.origin, "https://api.github.com");
        assert_eq!(
            (known.rest.path.as_str(), known.graphql.path.as_str()),
            ("", "/graphql")
        );
        assert_eq!(known.repository.to_string(), "owner/name");
    }

    #[test]
    fn an_enterprise_server_answers_graphql_beside_its_rest() {
        let own = settings(&[("GITHUB_API_URL", "https://github.example.com/api/v3/")]).unwrap();
        assert_eq!(
            (own.rest.path.as_str(), own.graphql.path.as_str()),
            ("/api/v3", "/api/graphql")
        );
        assert_eq!(own.graphql.origin, "https://github.example.com");
        let said = settings(&[("GITHUB_GRAPHQL_URL", "https://else.example.com/q")]).unwrap();
        assert_eq!(
            (said.graphql.origin.as_str(), said.graphql.path.as_str()),
            ("https://else.example.com", "/q")
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(refusal(&[("GITHUB_TOKEN", " \n")]).contains("`GITHUB_TOKEN` is not set"));
        assert!(refusal(&[("GITHUB_TOKEN", "")]).contains("${{ github.token }}"));
        assert!(refusal(&[("GITHUB_REPOSITORY", "")]).contains("`GITHUB_REPOSITORY` is not set"));
    }

    #[test]
    fn a_repository_has_an_owner_and_a_name_and_nothing_else() {
        for text in ["name", "a/b/c", "a/..", "../b", "a/b?c", "a/ b", "/", "a/b\n", "a/é"] {
            assert!(Repository::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Repository::parse("my-org/my.repo_1").unwrap().name, "my.repo_1");
    }

    #[test]
    fn a_token_goes_only_to_an_encrypted_address_or_to_this_machine() {
        for url in [
            "http://api.github.com",
            "http://127.0.0.1.example.com",
            "http://localhost:x",
            "http://[::1]a",
        ] {
            assert!(refusal(&[("GITHUB_API_URL", url)]).contains("unencrypted"), "{url}");
        }
        for url in [
            "ftp://a",
            "api.github.com",
            "https://",
            "https://me@host/",
            "https://a/b?c",
            "https://a/b#c",
        ] {
            assert!(settings(&[("GITHUB_API_URL", url)]).is_err(), "{url}");
        }
        for url in ["http://127.0.0.1:4012", "http://localhost", "http://[::1]:1/api/v3"] {
            assert!(settings(&[("GITHUB_API_URL", url)]).is_ok(), "{url}");
        }
    }

    #[test]
    fn no_debug_and_no_message_shows_the_token() {
        assert!(!format!("{:?}", settings(&[]).unwrap()).contains("hidden"));
        let broken = refusal(&[("GITHUB_TOKEN", "ghs hidden")]);
        assert!(
            broken.contains("holds no token") && !broken.contains("hidden"),
            "{broken}"
        );
    }
}
