//! How a cell that got worse is profiled.

use super::Resolver;
use crate::{
    config::{
        error::ConfigError,
        layers::Layer,
        node::Source,
        show,
        twin::{CommandTwin, ProfileTwin},
        values::Whole,
    },
    plan::Profiling,
};

impl Resolver {
    pub(super) fn profiling(&mut self) -> Result<Profiling, ConfigError> {
        let usual = Profiling::default();
        let wrapper = self.in_profile(|profile| profile.wrapper.map(words));
        let args = self.in_profile(|profile| profile.args.map(words));
        let dir = self.in_profile(|profile| profile.dir);
        let requests = self.in_profile(|profile| profile.requests);
        let steps = self.in_profile(|profile| profile.steps);
        let timeout = self.in_profile(|profile| profile.timeout);
        let profiling = Profiling {
            wrapper: wrapper.map(|(wrapper, _)| wrapper).unwrap_or_default(),
            args: args.map(|(args, _)| args).unwrap_or_default(),
            dir: dir.map(|(dir, source)| self.joined(&dir.0, source)),
            requests: requests.map(|(requests, _)| requests.as_u32()),
            steps: steps.map_or(usual.steps, |(steps, _): (Whole<1, 10_000>, _)| steps.as_u32()),
            timeout: timeout.map_or(usual.timeout, |(timeout, _)| timeout.0),
        };
        self.check_wrapper(&profiling)?;
        self.note_profiling(&profiling);
        Ok(profiling)
    }

    fn in_profile<T>(&self, get: impl Fn(ProfileTwin) -> Option<T>) -> Option<(T, Source)> {
        self.find("profile", |twin| get(twin.profile.clone()?))
    }

    /// A wrapper that starts no server, or whose file nobody would find, would be noticed after the measuring only.
    fn check_wrapper(&self, profiling: &Profiling) -> Result<(), ConfigError> {
        let wrapper = &profiling.wrapper;
        if wrapper.is_empty() {
            return Ok(());
        }
        let commands = wrapper.iter().filter(|word| *word == "{command}").count();
        let holds_out = wrapper.iter().any(|word| word.contains("{out}"));
        if commands == 1 && holds_out && wrapper.first().is_some_and(|program| program != "{command}") {
            return Ok(());
        }
        let message = "the wrapper is a program with `{command}` once, as a word of its own, and `{out}` for what it writes, as in \
                       `nsys profile -o {out} {command}`";
        let gives = |layer: &&Layer| {
            let profile = layer.twin.profile.as_ref();
            profile.is_some_and(|profile| profile.wrapper.is_some())
        };
        let layer = self.layers.iter().rfind(gives);
        layer.map_or(Ok(()), |layer| Err(layer.error("profile.wrapper", message)))
    }

    fn note_profiling(&mut self, profiling: &Profiling) {
        let Some((_, source)) = self.find("profile", |twin| twin.profile.clone()) else {
            return;
        };
        let Profiling {
            wrapper,
            args,
            dir,
            requests,
            steps,
            timeout,
        } = profiling;
        let mut parts = vec![format!("{steps} steps"), format!("{timeout:?}")];
        parts.extend(requests.map(|requests| format!("{requests} requests")));
        parts.extend(dir.as_ref().map(|dir| format!("in {}", dir.display())));
        parts.extend((!wrapper.is_empty()).then(|| format!("under `{}`", wrapper.join(" "))));
        parts.extend((!args.is_empty()).then(|| format!("with `{}`", args.join(" "))));
        self.note("profile", show::list(&parts), source);
    }
}

fn words(command: CommandTwin) -> Vec<String> {
    command.0
}
