//! Which server is measured against itself, and how it can stand on both sides.

use crate::{
    commands::{CommandError, Console, served::at_commit},
    config::{Resolved, Source},
    plan::{ArmPlace, Arms, Launch},
};

/// The baseline's arm twice, the only arm that is told, or else the server of the plan; an address that was typed comes
/// first, unless an arm was typed as well.
pub(super) fn arms(resolved: &Resolved, console: &dyn Console) -> Result<Arms, CommandError> {
    let told = resolved.arms.as_ref().or(resolved.only_arm.as_ref());
    let arms = match told.filter(|_| !is_typed(resolved, "target.url") || is_arm_typed(resolved)) {
        Some(arms) => twice(&known(arms, resolved)?, whose(resolved))?,
        None => at_the_plans_address(resolved, console),
    };
    if let ArmPlace::Url(url) = &arms.baseline {
        console.say(&format!("measuring the server at `{url}` against itself"));
    }
    Ok(arms)
}

/// The arm that stands on both sides, of the commit that is measured.
fn known(arms: &Arms, resolved: &Resolved) -> Result<Arms, CommandError> {
    let ArmPlace::Command(launch) = &arms.baseline else {
        return Ok(arms.clone());
    };
    let name = whose(resolved).trim_start_matches("arms.");
    let launch = at_commit((name, launch), resolved.settings.commit.as_deref())?;
    Ok(Arms {
        baseline: ArmPlace::Command(launch),
        ..arms.clone()
    })
}

fn is_typed(resolved: &Resolved, key: &str) -> bool {
    let is_flag = |source: &Source| matches!(source, Source::Flag(_));
    let mut origins = resolved.origins.iter();
    origins.any(|origin| origin.key == key && is_flag(&origin.source))
}

fn is_arm_typed(resolved: &Resolved) -> bool {
    let keys = ["baseline", "candidate"].map(|arm| ["url", "command"].map(|field| format!("arms.{arm}.{field}")));
    keys.iter().flatten().any(|key| is_typed(resolved, key))
}

/// Under which key the arm stands that is measured.
fn whose(resolved: &Resolved) -> &'static str {
    let mut origins = resolved.origins.iter();
    if origins.any(|origin| origin.key.starts_with("arms.baseline.")) {
        "arms.baseline"
    } else {
        "arms.candidate"
    }
}

fn at_the_plans_address(resolved: &Resolved, console: &dyn Console) -> Arms {
    let target = &resolved.plan.target;
    if !target.more_urls.is_empty() {
        console.warn(&format!(
            "only `{}` is measured against itself, without the other addresses of `target.urls`: what it shows is not known \
             to gates of all of them",
            target.url
        ));
    }
    let url = || ArmPlace::Url(target.url.clone());
    Arms {
        baseline: url(),
        candidate: url(),
        together: true,
        start_timeout: std::time::Duration::from_secs(600),
        metrics: [None, None],
        build_timeout: std::time::Duration::ZERO,
    }
}

/// One arm on both sides; where both are up at once, each has a port of its own.
fn twice(arms: &Arms, key: &str) -> Result<Arms, CommandError> {
    let own = &arms.baseline;
    let [metrics, _] = arms.metrics.clone();
    let (other, metrics) = match own {
        // What the first one tells on a page of its own says nothing of the second.
        ArmPlace::Command(launch) if arms.together => {
            (ArmPlace::Command(on_another_port(launch, key)?), [metrics, None])
        }
        place => (place.clone(), [metrics.clone(), metrics]),
    };
    Ok(Arms {
        baseline: own.clone(),
        candidate: other,
        together: arms.together || matches!(own, ArmPlace::Url(_)),
        start_timeout: arms.start_timeout,
        metrics,
        build_timeout: arms.build_timeout,
    })
}

fn on_another_port(launch: &Launch, key: &str) -> Result<Launch, CommandError> {
    if let Some(port) = launch.port.filter(|_| !launch.takes_port()) {
        return Err(CommandError::Usage(format!(
            "`{key}.port` is `{port}`, and `arms.together` has the server started twice at once to be measured against \
             itself: both would want that port; write `{{port}}` in `{key}.command` where the number stands, so that the \
             second one gets a free port, or measure one at a time with `--arms-together false`"
        )));
    }
    Ok(Launch {
        port: None,
        ..launch.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(command: &[&str], port: Option<u16>) -> Arms {
        let launch = Launch {
            command: command.iter().map(|&word| word.to_owned()).collect(),
            ready: "/health".into(),
            port,
            ..Launch::default()
        };
        Arms {
            baseline: ArmPlace::Command(launch),
            candidate: ArmPlace::Url("http://127.0.0.1:9".into()),
            together: true,
            start_timeout: std::time::Duration::from_secs(1),
            metrics: [Some("http://127.0.0.1:9/own".into()), None],
            build_timeout: std::time::Duration::from_secs(1),
        }
    }

    fn port(place: &ArmPlace) -> Option<u16> {
        match place {
            ArmPlace::Command(launch) => launch.port,
            ArmPlace::Url(_) => None,
        }
    }

    #[test]
    fn a_server_that_takes_its_port_stands_on_both_sides_on_two_of_them() {
        let arms = twice(&together(&["serve", "--port", "{port}"], Some(8001)), "arms.baseline").unwrap();
        assert_eq!((port(&arms.baseline), port(&arms.candidate)), (Some(8001), None));
        let page = || Some("http://127.0.0.1:9/own".to_owned());
        assert_eq!(arms.metrics, [page(), None], "the second one's page is another");
        let free = together(&["serve", "--port={port}"], None);
        let arms = twice(&free, "arms.baseline").unwrap();
        assert_eq!(arms.candidate, free.baseline);
    }

    #[test]
    fn a_port_that_is_fixed_is_refused_where_both_are_up_at_once_only() {
        let mut fixed = together(&["serve", "--port", "8001"], Some(8001));
        let error = twice(&fixed, "arms.baseline").unwrap_err().to_string();
        assert!(
            error.starts_with(
                "`arms.baseline.port` is `8001`, and `arms.together` has the server started twice at once"
            ),
            "{error}"
        );
        assert!(error.contains("write `{port}` in `arms.baseline.command`"), "{error}");
        fixed.together = false;
        let arms = twice(&fixed, "arms.baseline").unwrap();
        assert_eq!(arms.metrics[0], arms.metrics[1]);
        assert_eq!((arms.candidate, arms.together), (fixed.baseline, false));
    }

    #[test]
    fn an_address_is_up_beside_itself() {
        let mut arms = together(&["serve", "{port}"], None);
        (arms.baseline, arms.together) = (arms.candidate.clone(), false);
        let arms = twice(&arms, "arms.baseline").unwrap();
        assert!(arms.together && arms.baseline == arms.candidate);
    }
}
