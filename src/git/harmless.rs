//! Settings of git that would run a program in a checkout, and those that switch them off again.

use super::GitError;

/// What git-lfs itself writes into the settings, and nothing else: which key, and the program.
const LFS: [(&str, &str); 5] = [
    ("smudge", "git-lfs smudge -- %f"),
    ("smudge", "git-lfs smudge --skip -- %f"),
    ("clean", "git-lfs clean -- %f"),
    ("process", "git-lfs filter-process"),
    ("process", "git-lfs filter-process --skip"),
];

/// What makes the settings harmless.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Harmless {
    /// `KEY=VALUE`, for `git -c`.
    pub(super) settings: Vec<String>,
    /// Whose filters and hooks are switched off (`filter.crypt`).
    pub(super) names: Vec<String>,
}

/// One of `filter.NAME.KEY` or `hook.NAME.KEY`.
struct Setting<'a> {
    kind: &'a str,
    name: &'a str,
    key: &'a str,
    value: &'a str,
}

impl Setting<'_> {
    fn is_of_lfs(&self) -> bool {
        self.kind == "filter" && self.name == "lfs" && LFS.contains(&(self.key, self.value))
    }
}

/// Reads `git config --null --get-regexp`.
///
/// # Errors
/// One has a name that `git -c` cannot say.
pub(super) fn harmless(listed: &[u8]) -> Result<Harmless, GitError> {
    let mut harmless = Harmless::default();
    let mut settings = Vec::new();
    for bytes in listed.split(|byte| *byte == 0).filter(|bytes| !bytes.is_empty()) {
        let unsayable = || GitError::Setting {
            key: String::from_utf8_lossy(bytes)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        let text = str::from_utf8(bytes).map_err(|_| unsayable())?;
        let (path, value) = text.split_once('\n').unwrap_or((text, ""));
        let setting = setting(path, value).ok_or_else(unsayable)?;
        settings.push(setting);
    }
    for setting in settings.iter().filter(|setting| !setting.is_of_lfs()) {
        let owner = format!("{}.{}", setting.kind, setting.name);
        if harmless.names.contains(&owner) {
            continue;
        }
        let off: &[&str] = match setting.kind {
            "filter" => &["smudge=", "clean=", "process=", "required=false"],
            _ => &["enabled=false"],
        };
        harmless.settings.extend(off.iter().map(|off| format!("{owner}.{off}")));
        harmless.names.push(owner);
    }
    Ok(harmless)
}

fn setting<'a>(path: &'a str, value: &'a str) -> Option<Setting<'a>> {
    let (kind, rest) = path.split_once('.')?;
    let (name, key) = rest.rsplit_once('.')?;
    // `-c` would end the key at the first sign of equality.
    (!name.contains('=')).then_some(Setting { kind, name, key, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(listed: &str) -> Vec<String> {
        harmless(listed.as_bytes()).unwrap().names
    }

    #[test]
    fn t16_every_filter_but_the_one_of_git_lfs_is_switched_off() {
        let lfs = "filter.lfs.clean\ngit-lfs clean -- %f\0filter.lfs.smudge\ngit-lfs smudge -- %f\0\
                   filter.lfs.process\ngit-lfs filter-process\0";
        assert_eq!(names(lfs), [""; 0]);
        assert_eq!(names(""), [""; 0]);
        let found =
            harmless(format!("{lfs}filter.My.Crypt.clean\ncrypt\0filter.My.Crypt.smudge\ncrypt -d\0").as_bytes());
        let expected = Harmless {
            settings: ["smudge=", "clean=", "process=", "required=false"]
                .map(|off| format!("filter.My.Crypt.{off}"))
                .to_vec(),
            names: vec!["filter.My.Crypt".into()],
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn t16_git_lfs_with_another_program_is_none() {
        for other in [
            "filter.lfs.smudge\nsh -c evil\0",
            "filter.lfs.smudge\ngit-lfs smudge -- %f; evil\0",
            "filter.lfs.clean\ngit-lfs smudge -- %f\0",
            "filter.lfs.process\n./git-lfs filter-process\0",
            // The last one counts, but an exact one behind it is no excuse.
            "filter.lfs.smudge\nevil\0filter.lfs.smudge\ngit-lfs smudge -- %f\0",
        ] {
            assert_eq!(names(other), ["filter.lfs"], "{other:?}");
        }
        assert_eq!(names("filter.LFS.smudge\ngit-lfs smudge -- %f\0"), ["filter.LFS"]);
    }

    #[test]
    fn t16_a_hook_of_the_settings_is_switched_off() {
        let found = harmless(b"hook.lint.command\nevil\0").unwrap();
        assert_eq!(found.settings, ["hook.lint.enabled=false"]);
    }

    #[test]
    fn t16_a_name_that_cannot_be_switched_off_is_refused() {
        for key in [&b"filter.a=b.smudge"[..], b"filter.\xff.smudge"] {
            let error = harmless(&[key, b"\nevil\0"].concat()).unwrap_err();
            assert!(matches!(error, GitError::Setting { .. }), "{error}");
        }
    }
}
