//! An A/B measurement: its schedule of looks, and the two servers.

use std::{collections::BTreeMap, time::Duration};

use super::Resolver;
use crate::{
    config::{
        error::ConfigError,
        resolve::Measure,
        show,
        twin::{AbTwin, ArmTwin, ArmsTwin, ConfigFile, MeasureTwin, ReadyTwin, VersionTwin},
        values::Whole,
    },
    plan::{Alternation, ArmPlace, Arms, Launch, Reset},
};

/// Large models take minutes to load.
const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(600);

/// So may their kernels to compile.
const DEFAULT_BUILD_TIMEOUT: Duration = Duration::from_secs(3600);

/// Where vLLM, `SGLang` and llama.cpp tell that they are ready.
const DEFAULT_READY: &str = "/health";

impl Resolver {
    pub(super) fn measure(&mut self) -> Measure {
        let get = |twin: &ConfigFile| {
            twin.measure.map(|measure| match measure {
                MeasureTwin::Alone => Measure::Alone,
                MeasureTwin::Ab => Measure::Ab,
            })
        };
        let text = |measure: &Measure| match measure {
            Measure::Alone => "alone".into(),
            Measure::Ab => "ab".into(),
        };
        self.given("measure", get, text).unwrap_or_default()
    }

    pub(super) fn alternation(&mut self) -> Result<Alternation, ConfigError> {
        let usual = Alternation::default();
        let looks = self.in_ab(
            "ab.looks",
            |ab| Some(ab.looks.as_ref()?.0.iter().copied().map(Whole::as_u32).collect()),
            |looks: &Vec<u32>| show::list(looks),
        );
        let blocks = self.in_ab("ab.blocks", |ab| ab.blocks.map(|blocks| blocks.0), u32::to_string);
        let minutes = self.in_ab(
            "ab.max_minutes",
            |ab| ab.max_minutes.map(|minutes| minutes.0),
            f64::to_string,
        );
        let looks = looks.unwrap_or(usual.looks);
        if !looks.is_sorted_by(|one, next| one < next) {
            return Err(self.refuse(
                "ab.looks",
                "the numbers of pairs must rise from look to look, as in `3,5,8,12`",
            ));
        }
        Ok(Alternation {
            looks,
            blocks: blocks.unwrap_or(usual.blocks),
            max: minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        })
    }

    fn in_ab<T>(&mut self, key: &str, get: impl Fn(&AbTwin) -> Option<T>, text: impl Fn(&T) -> String) -> Option<T> {
        self.given(key, |twin| twin.ab.as_ref().and_then(&get), text)
    }

    /// Both arms where both are told, or the only one that is, on both sides.
    pub(super) fn arms(&mut self) -> Result<(Option<Arms>, Option<Arms>), ConfigError> {
        let baseline = self.arm("baseline", |arms| arms.baseline.as_ref())?;
        let candidate = self.arm("candidate", |arms| arms.candidate.as_ref())?;
        let together = self.in_arms("arms.together", |arms| arms.together, bool::to_string);
        let start_timeout = self.time_in_arms("arms.start_timeout", |arms| arms.start_timeout.map(|span| span.0));
        let build_timeout = self.time_in_arms("arms.build_timeout", |arms| arms.build_timeout.map(|span| span.0));
        let old_page = self.page("baseline", |arms| arms.baseline.as_ref());
        let new_page = self.page("candidate", |arms| arms.candidate.as_ref());
        let arms = |(baseline, candidate): (ArmPlace, ArmPlace), metrics: [Option<String>; 2]| {
            let both_run = [&baseline, &candidate]
                .iter()
                .all(|place| matches!(place, ArmPlace::Url(_)));
            Some(Arms {
                baseline,
                candidate,
                together: both_run || together.unwrap_or(false),
                start_timeout: start_timeout.unwrap_or(DEFAULT_START_TIMEOUT),
                metrics,
                build_timeout: build_timeout.unwrap_or(DEFAULT_BUILD_TIMEOUT),
            })
        };
        match (baseline, candidate) {
            (Some(baseline), Some(candidate)) => {
                self.refuse_one_port(&baseline, &candidate, together.unwrap_or(false))?;
                Ok((arms((baseline, candidate), [old_page, new_page]), None))
            }
            (Some(only), None) => Ok((None, arms((only.clone(), only), [old_page.clone(), old_page]))),
            (None, Some(only)) => Ok((None, arms((only.clone(), only), [new_page.clone(), new_page]))),
            (None, None) => Ok((None, None)),
        }
    }

    /// Where an arm tells how many requests it holds, if that is told; without a path it is the usual page.
    fn page(&mut self, name: &str, of: fn(&ArmsTwin) -> Option<&ArmTwin>) -> Option<String> {
        let key = format!("arms.{name}.metrics");
        let page = self
            .in_arms(&key, |arms| of(arms)?.metrics.clone(), |page| page.0.clone())?
            .0;
        Some(usual_page(page))
    }

    /// Two servers that are up at once cannot listen on one port.
    fn refuse_one_port(&self, baseline: &ArmPlace, candidate: &ArmPlace, together: bool) -> Result<(), ConfigError> {
        let port = |place: &ArmPlace| match place {
            ArmPlace::Command(launch) => launch.port,
            ArmPlace::Url(_) => None,
        };
        let same = port(baseline).filter(|own| together && port(candidate) == Some(*own));
        same.map_or(Ok(()), |port| {
            let message = format!(
                "`{port}` is the baseline's port as well, and `arms.together` has both servers up at once; give it another \
                 one, or leave it out where the command takes `{{port}}`"
            );
            Err(self.refuse("arms.candidate.port", &message))
        })
    }

    fn in_arms<T>(
        &mut self,
        key: &str,
        get: impl Fn(&ArmsTwin) -> Option<T>,
        text: impl Fn(&T) -> String,
    ) -> Option<T> {
        self.given(key, |twin| twin.arms.as_ref().and_then(&get), text)
    }

    fn time_in_arms(&mut self, key: &str, get: impl Fn(&ArmsTwin) -> Option<Duration>) -> Option<Duration> {
        self.in_arms(key, get, |time| format!("{time:?}"))
    }

    /// One arm: the highest layer that tells its address or its command decides which it is.
    fn arm(&mut self, name: &str, of: fn(&ArmsTwin) -> Option<&ArmTwin>) -> Result<Option<ArmPlace>, ConfigError> {
        let here = |twin: &ConfigFile| twin.arms.as_ref().and_then(of)?.clone().gathered().ok();
        let key = |field: &str| format!("arms.{name}.{field}");
        let mut is_url = None;
        for layer in self.layers.iter().rev() {
            let Some(arm) = layer.twin.arms.as_ref().and_then(of) else {
                continue;
            };
            let arm = arm.clone().gathered().map_err(|twice| {
                let message = "this stands under `launch` as well; give it once";
                layer.error(&key(twice), message)
            })?;
            if arm.url.is_some() && arm.command.is_some() {
                let message = "an arm runs already or is started; give it `url` or `command`, not both";
                return Err(layer.error(&key("command"), message));
            }
            if arm.url.is_some() || arm.command.is_some() {
                is_url = Some(arm.url.is_some());
                break;
            }
        }
        let url = self.given(&key("url"), |twin| here(twin)?.url, |url| url.0.clone());
        let command = self.given(
            &key("command"),
            |twin| here(twin)?.command,
            |command| command.0.join(" "),
        );
        let launch = Launch {
            command: command.map(|command| command.0).unwrap_or_default(),
            ..self.launch(name, here)
        };
        match is_url {
            None => Ok(None),
            Some(true) => Ok(url.map(|url| ArmPlace::Url(url.0))),
            Some(false) if !launch.knows_its_port() => {
                let message =
                    "the server is not told its port; write `{port}` where the command takes it, or give `port`";
                Err(self.refuse(&key("command"), message))
            }
            Some(false) => Ok(Some(ArmPlace::Command(launch))),
        }
    }

    /// How an arm is started, but for its command.
    fn launch(&mut self, name: &str, here: impl Fn(&ConfigFile) -> Option<ArmTwin>) -> Launch {
        let key = |field: &str| format!("arms.{name}.{field}");
        let build = self.given(&key("build"), |twin| here(twin)?.build, |build| build.0.join(" "));
        let (ready, start_timeout) = self.ready(name, &here);
        let port = self.given(&key("port"), |twin| here(twin)?.port, |port| port.0.to_string());
        let env = self.given(
            &key("env"),
            |twin| here(twin)?.env,
            |env| show::list(&env.keys().collect::<Vec<_>>()),
        );
        let workdir = self.find(&key("workdir"), |twin| here(twin)?.workdir);
        let workdir = workdir.map(|(workdir, source)| {
            self.note(&key("workdir"), workdir.0.clone(), source);
            self.joined(&workdir.0, source)
        });
        let stop = self.given(&key("stop"), |twin| here(twin)?.stop, |stop| stop.0.join(" "));
        let reset = self.given(
            &key("reset"),
            |twin| Some(here(twin)?.reset?.reset()),
            |reset| match reset {
                Reset::Page(page) => page.clone(),
                Reset::Command(words) => words.join(" "),
            },
        );
        let version = self.given(&key("version"), |twin| here(twin)?.version, VersionTwin::text);
        let env: BTreeMap<String, String> = env.into_iter().flatten().map(|(name, value)| (name, value.0)).collect();
        Launch {
            build: build.map(|build| build.0).unwrap_or_default(),
            command: Vec::new(),
            ready,
            start_timeout,
            port: port.and_then(|port| u16::try_from(port.0).ok()),
            env,
            workdir,
            stop: stop.map(|stop| stop.0).unwrap_or_default(),
            reset,
            version: version.map(|version| Box::new(version.says())),
        }
    }

    /// The ready page of an arm, and how long that arm may take where it says so.
    fn ready(&mut self, name: &str, here: &impl Fn(&ConfigFile) -> Option<ArmTwin>) -> (String, Option<Duration>) {
        let parts = |ready: ReadyTwin| match ready {
            ReadyTwin::Page(page) => (Some(page.0), None),
            ReadyTwin::Within(within) => (within.path.map(|page| page.0), within.timeout.map(|span| span.0)),
        };
        let given = self.given(
            &format!("arms.{name}.ready"),
            |twin| here(twin)?.ready.map(parts),
            |(page, timeout)| {
                let page = page.as_deref().unwrap_or(DEFAULT_READY);
                timeout.map_or_else(|| page.to_owned(), |timeout| format!("{page} within {timeout:?}"))
            },
        );
        let (page, timeout) = given.unwrap_or_default();
        (page.unwrap_or_else(|| DEFAULT_READY.to_owned()), timeout)
    }
}

/// The address of a page of metrics; without a path it is the usual one.
pub(super) fn usual_page(page: String) -> String {
    let has_path = |rest: &str| rest.split_once('/').is_some_and(|(_, path)| !path.is_empty());
    if page.split_once("://").is_some_and(|(_, rest)| has_path(rest)) {
        page
    } else {
        format!("{}/metrics", page.trim_end_matches('/'))
    }
}
