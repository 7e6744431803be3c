//! Where the stored baselines are: a folder, a ref of git, or object storage. The one place that reads such an address.

use std::{fmt, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// An address of stored baselines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAddress {
    /// A folder.
    Folder(PathBuf),
    /// A ref of the repository that one works in, its own history beside that of the code.
    Git {
        /// The ref, whole (`refs/perfgate/baselines`).
        name: String,
        /// The remote that holds it; `None`: this clone does.
        remote: Option<String>,
    },
    /// Objects below an address.
    Objects {
        /// What holds them.
        scheme: Scheme,
        /// Bucket or container; empty where files hold them.
        bucket: String,
        /// What the names of all objects begin with, without `/` at its ends; of files the absolute folder.
        prefix: String,
    },
}

/// A kind of object storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Amazon S3, and what speaks its language.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
    /// Files below a folder, such as a mounted share.
    File,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::S3, Self::Gs, Self::Az, Self::File];

    /// What an address of it begins with.
    pub const fn opening(self) -> &'static str {
        match self {
            Self::S3 => "s3://",
            Self::Gs => "gs://",
            Self::Az => "az://",
            Self::File => "file://",
        }
    }
}

const FORMS: &str = "give a folder, `git:refs/NAME`, `git:refs/NAME@REMOTE`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, \
                     `az://CONTAINER/PREFIX` or `file:///FOLDER`";

impl StoreAddress {
    /// Reads an address as it is typed; what has no opening of an address is a folder.
    ///
    /// # Errors
    /// In words: it begins as an address and is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        refuse_misspelt(text)?;
        if let Some(rest) = text.strip_prefix("git:").filter(|rest| !rest.starts_with("//")) {
            return git(rest);
        }
        let scheme = Scheme::ALL
            .into_iter()
            .find(|scheme| text.starts_with(scheme.opening()));
        match (scheme, text.split_once("://")) {
            (Some(scheme), Some((_, rest))) => objects(scheme, rest),
            // The rest is not repeated: it may hold a password.
            (None, Some((opening, _))) if is_opening(opening) => {
                Err(format!("`{opening}://` is no place for baselines; {FORMS}"))
            }
            _ => Ok(Self::Folder(text.into())),
        }
    }

    /// The folder, where it is one.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Git { .. } | Self::Objects { .. } => None,
        }
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Git { name, remote: None } => write!(f, "git:{name}"),
            Self::Git {
                name,
                remote: Some(remote),
            } => write!(f, "git:{name}@{remote}"),
            Self::Objects { scheme, bucket, prefix } => {
                let between = if bucket.is_empty() || prefix.is_empty() {
                    ""
                } else {
                    "/"
                };
                write!(f, "{}{bucket}{between}{prefix}", scheme.opening())
            }
        }
    }
}

/// What begins almost as an address would be a folder of that name, and a store that is empty.
fn refuse_misspelt(text: &str) -> Result<(), String> {
    let Some((word, rest)) = text.split_once(':') else {
        return Ok(());
    };
    let lower = word.to_ascii_lowercase();
    let is_whole = rest.starts_with("//");
    let scheme = Scheme::ALL
        .into_iter()
        .find(|scheme| scheme.opening().strip_suffix("://") == Some(lower.as_str()));
    let right = match scheme {
        Some(scheme) if word != lower || !is_whole => meant(scheme, rest),
        None if lower == "git" && word != lower && !is_whole => "an address that begins with `git:refs/`".into(),
        None if lower != "git" && is_opening(word) && rest.starts_with('/') && !is_whole => {
            return Err(format!(
                "`{word}:` begins no address of baselines; {FORMS}; for a folder of that name write `./` before it"
            ));
        }
        _ => return Ok(()),
    };
    Err(format!(
        "`{word}:` begins no address of baselines; write {right}, or for a folder of that name `./` before it"
    ))
}

fn meant(scheme: Scheme, rest: &str) -> String {
    let (opening, path) = (scheme.opening(), rest.trim_start_matches('/'));
    let is_absolute = path.len() < rest.len();
    // What may hold a password is not repeated.
    let is_harmless = !path.is_empty() && !path.contains(['@', '?']);
    match scheme {
        Scheme::File if is_harmless && is_absolute => format!("`{opening}/{path}`"),
        Scheme::File => format!("an address that begins with `{opening}/`"),
        _ if is_harmless => format!("`{opening}{path}`"),
        _ => format!("an address that begins with `{opening}`"),
    }
}

fn is_opening(text: &str) -> bool {
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '+' | '.' | '-');
    text.len() > 1 && text.starts_with(|sign: char| sign.is_ascii_alphabetic()) && text.chars().all(is_sign)
}

fn git(rest: &str) -> Result<StoreAddress, String> {
    let (name, remote) = match rest.rsplit_once('@') {
        Some((name, remote)) => (name, Some(remote)),
        None => (rest, None),
    };
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '_' | '-');
    let is_part = |part: &str| {
        let kept_by_git =
            part.starts_with(['.', '-']) || part.ends_with('.') || part.to_ascii_lowercase().ends_with(".lock");
        !part.is_empty() && part.chars().all(is_plain) && !part.contains("..") && !kept_by_git
    };
    let parts: Vec<&str> = name.split('/').collect();
    if parts.first() != Some(&"refs") || parts.len() < 3 || !parts.iter().all(|part| is_part(part)) {
        return Err(format!(
            "`git:{name}` names no whole ref; give one such as `git:refs/perfgate/baselines`"
        ));
    }
    // An address in place of a name could start a program (`ext::`), and would stand in messages with its password.
    if remote.is_some_and(|remote| !is_part(remote)) {
        return Err(
            "what follows `@` is no name of a remote; give one that `git remote` lists, such as `origin`".into(),
        );
    }
    Ok(StoreAddress::Git {
        name: name.to_owned(),
        remote: remote.map(str::to_owned),
    })
}

fn objects(scheme: Scheme, rest: &str) -> Result<StoreAddress, String> {
    let opening = scheme.opening();
    if rest.contains(['?', '#', '\\']) || rest.contains(|sign: char| sign.is_whitespace() || sign.is_control()) {
        return Err(format!(
            "the `{opening}` address holds a sign that none may hold (`?`, `#`, `\\`, a blank); credentials come from the \
             environment"
        ));
    }
    let (bucket, prefix) = match scheme {
        Scheme::File => ("", rest),
        Scheme::S3 | Scheme::Gs | Scheme::Az => rest.split_once('/').unwrap_or((rest, "")),
    };
    if bucket.contains('@') {
        return Err(format!(
            "the `{opening}` address holds a user name or password; credentials come from the environment"
        ));
    }
    if scheme == Scheme::File && !prefix.starts_with('/') {
        return Err(format!(
            "`{opening}{rest}` names no absolute folder; give `file:///FOLDER`"
        ));
    }
    let is_name = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '.' | '_' | '-');
    if scheme != Scheme::File && (bucket.is_empty() || !bucket.chars().all(is_name)) {
        return Err(format!("the `{opening}` address names no bucket; {FORMS}"));
    }
    let whole = prefix.trim_end_matches('/');
    if scheme == Scheme::File && whole.is_empty() {
        return Err("`file:///` names no folder; give one such as `file:///srv/baselines`".into());
    }
    let inner = whole.trim_start_matches('/');
    if inner.split('/').any(|part| matches!(part, "." | "..")) || inner.contains("//") {
        return Err(format!("the `{opening}` address has a part that is `.`, `..` or empty"));
    }
    Ok(StoreAddress::Objects {
        scheme,
        bucket: bucket.to_owned(),
        prefix: if scheme == Scheme::File { whole } else { inner }.to_owned(),
    })
}

/// The same in a configuration, as text that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct AddressText(pub(super) String);

impl TryFrom<String> for AddressText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let word = super::texts::Word::try_from(text)?;
        StoreAddress::parse(&word.0)?;
        Ok(Self(word.0))
    }
}

impl JsonSchema for AddressText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AddressText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"], "minLength": 1})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_said_again_as_it_was_given() {
        for text in [
            "baselines",
            "../x/base",
            "C:\\perf",
            "C:/perf",
            "./s3:/bucket",
            "runs:old",
            "git:refs/perfgate/baselines",
            "git:refs/heads/perf-base@origin",
            "s3://bucket",
            "s3://bucket/a/b",
            "gs://bucket/a",
            "az://container/a",
            "file:///srv/baselines",
        ] {
            assert_eq!(StoreAddress::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            StoreAddress::parse("s3://bucket/a/").unwrap().to_string(),
            "s3://bucket/a"
        );
    }

    #[test]
    fn what_begins_as_an_address_and_is_none_is_refused() {
        for (text, part) in [
            ("http://host/base", "`http://` is no place for baselines"),
            ("git://host/repo", "`git://` is no place for baselines"),
            ("S3://bucket", "write `s3://bucket`"),
            ("s3:/bucket/x", "write `s3://bucket/x`"),
            ("s3:bucket", "write `s3://bucket`"),
            ("gs:/bucket", "write `gs://bucket`"),
            ("az:container/x", "write `az://container/x`"),
            ("file:/srv/base", "write `file:///srv/base`"),
            ("FILE:///srv/base", "write `file:///srv/base`"),
            ("file:base", "begins with `file:///`"),
            ("file:///", "`file:///` names no folder"),
            ("file:////", "`file:///` names no folder"),
            ("file:", "begins with `file:///`"),
            ("s3:/key:secret@bucket", "begins with `s3://`"),
            ("az:/c/x?sig=secret", "begins with `az://`"),
            ("GIT:refs/a/b", "begins with `git:refs/`"),
            ("git:/refs/a/b", "names no whole ref"),
            ("http:/host/base", "`http:` begins no address"),
            ("git:baselines", "names no whole ref"),
            ("git:refs/x", "names no whole ref"),
            ("git:refs/a/../b", "names no whole ref"),
            ("git:refs/a/-x", "names no whole ref"),
            ("git:refs/a/b.lock", "names no whole ref"),
            ("git:refs/a/b@ext::sh -c x", "no name of a remote"),
            ("git:refs/a/b@--upload-pack=x", "no name of a remote"),
            ("git:refs/a/b@", "no name of a remote"),
            ("s3://", "names no bucket"),
            ("s3://key:secret@bucket/x", "holds a user name or password"),
            ("az://c/x?sig=secret", "holds a sign that none may hold"),
            ("s3://bucket/a/../b", "has a part that is"),
            ("s3://bucket/a//b", "has a part that is"),
            ("file://relative", "names no absolute folder"),
        ] {
            let message = StoreAddress::parse(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
