//! The keys that requests carry, and where they may go.

use crate::{
    commands::{CommandError, meaning},
    config::Resolved,
    github::Event,
    load,
    plan::{ArmPlace, Arms, Secrets},
};

/// Where the requests of a verb go.
#[derive(Clone, Copy, Debug)]
pub enum Goal<'a> {
    /// To the addresses of the target.
    Target,
    /// To these two servers; `None`: there are none.
    Arms(Option<&'a Arms>),
}

/// The API key and the headers' values, read from the environment; call it when a run starts, not before.
///
/// # Errors
/// A variable that is named and not set, or whose value no header may hold, or that could not be told from the plan; in the
/// job of a pull request, an address to which a key would go for everybody on the way to read.
pub fn secrets(
    resolved: &Resolved,
    goal: Goal<'_>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Secrets, CommandError> {
    let secrets = resolved.secrets(variable)?;
    meaning::refuse_in_plan(&secrets, &resolved.plan)?;
    let Some((key, _)) = resolved.secret_variables().next() else {
        return Ok(secrets);
    };
    let open = addresses(resolved, goal).into_iter().find(|url| !load::is_private(url));
    match open {
        Some(url) if Event::of_this_job(variable)?.is_some_and(|event| event.is_of_proposal()) => {
            let way_out = if key.starts_with("target.headers.") {
                "; a header that is no secret is written as text, not taken from a variable"
            } else {
                ""
            };
            Err(CommandError::Usage(format!(
                "the key of `{key}` would go unencrypted to `{url}`; in the job of a pull request a key goes to `https://` addresses \
                 and to this machine only: give an `https://` address (`target.ca_file` holds a certificate of your own), or reach \
                 the server through a tunnel that ends at `127.0.0.1`{way_out}"
            )))
        }
        _ => Ok(secrets),
    }
}

/// Servers that perfgate starts itself listen on this machine.
fn addresses<'a>(resolved: &'a Resolved, goal: Goal<'a>) -> Vec<&'a str> {
    let target = &resolved.plan.target;
    match goal {
        Goal::Target => [&target.url]
            .into_iter()
            .chain(&target.more_urls)
            .map(String::as_str)
            .collect(),
        Goal::Arms(arms) => {
            let places = arms.into_iter().flat_map(|arms| [&arms.baseline, &arms.candidate]);
            let urls = places.filter_map(|place| match place {
                ArmPlace::Url(url) => Some(url.as_str()),
                ArmPlace::Command(_) => None,
            });
            urls.collect()
        }
    }
}
