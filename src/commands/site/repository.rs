//! Where commits are looked at: the address that is given, that of the CI job, or else of git's `origin`.

use crate::{
    commands::{CommandError, trust},
    git::Repository,
    render,
};

/// The address of the repository without a slash at its end; `None` where nobody knows it.
///
/// # Errors
/// When the one that is given is no address of a web page.
pub(super) fn address(
    given: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>, CommandError> {
    if let Some(given) = given {
        let found = web(given);
        return found.map(Some).ok_or_else(|| {
            CommandError::Usage(format!(
                "`--repository {given}` is no address of a repository; give one as `https://github.com/OWNER/NAME`"
            ))
        });
    }
    let known = |name: &str| variable(name).filter(|text| !text.trim().is_empty());
    let github = known("GITHUB_REPOSITORY").map(|name| {
        let server = known("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".into());
        format!("{server}/{name}")
    });
    let origin = || Repository::open(&trust::here().ok()?).ok()?.origin_url();
    let found = github.or_else(|| known("CI_PROJECT_URL")).or_else(origin);
    Ok(found.and_then(|found| web(&found)))
}

/// The web page of a repository's address; whoever's name or password stands in it stays out.
fn web(remote: &str) -> Option<String> {
    let remote = remote.trim().trim_end_matches('/');
    let remote = remote.strip_suffix(".git").unwrap_or(remote);
    let (scheme, rest) = match remote.split_once("://") {
        Some(("ssh" | "git", rest)) => ("https", without_port(after_user(rest))),
        Some((scheme @ ("https" | "http"), rest)) => (scheme, after_user(rest).to_owned()),
        Some(_) => return None,
        // As git writes it: `git@github.com:owner/name`.
        None => {
            let (host, path) = after_user(remote.split_once('@')?.1).split_once(':')?;
            ("https", format!("{host}/{path}"))
        }
    };
    let found = format!("{scheme}://{rest}");
    let has_path = rest
        .split_once('/')
        .is_some_and(|(host, path)| host.contains('.') || host.contains(':') || !path.is_empty());
    render::is_address(&found).then_some(found).filter(|_| has_path)
}

fn after_user(rest: &str) -> &str {
    let host = rest.split('/').next().unwrap_or(rest);
    match host.rfind('@') {
        Some(at) => rest.get(at + 1..).unwrap_or(rest),
        None => rest,
    }
}

/// A port of ssh is none of the web's.
fn without_port(rest: &str) -> String {
    match rest.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.split(':').next().unwrap_or(host)),
        None => rest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_has_a_web_page_without_names_and_passwords() {
        for (remote, page) in [
            ("https://github.com/o/r", Some("https://github.com/o/r")),
            ("https://github.com/o/r.git/", Some("https://github.com/o/r")),
            ("https://ada:secret@github.com/o/r.git", Some("https://github.com/o/r")),
            ("git@github.com:o/r.git", Some("https://github.com/o/r")),
            (
                "ssh://git@git.example.com:2222/o/r",
                Some("https://git.example.com/o/r"),
            ),
            ("http://127.0.0.1:3000/o/r", Some("http://127.0.0.1:3000/o/r")),
            ("/srv/git/r.git", None),
            ("../r", None),
            ("file:///srv/r", None),
            ("javascript:alert(1)", None),
            ("https://x.test/\"><script>", None),
            ("", None),
        ] {
            assert_eq!(web(remote).as_deref(), page, "{remote}");
        }
    }

    #[test]
    fn what_is_given_goes_before_the_job_and_must_be_an_address() {
        let job = |name: &str| (name == "GITHUB_REPOSITORY").then(|| "o/r".to_owned());
        assert_eq!(address(None, &job).unwrap().as_deref(), Some("https://github.com/o/r"));
        assert_eq!(
            address(Some("https://a.test/b"), &job).unwrap().as_deref(),
            Some("https://a.test/b")
        );
        assert!(address(Some("nowhere"), &job).is_err());
    }
}
