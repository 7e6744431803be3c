//! The flags of the commands that measure and judge, built from `config`'s one table, so that none can drift from its
//! key in the file or its environment variable.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use crate::config::{
    Overrides,
    keys::{CONFIG_ENV, DEFAULT_FILE, Form, Group, KEYS, Key},
};

/// Flags of the commands that resolve a whole configuration: `run`, `gate`, `config show`. Flatten it.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlanArgs {
    /// The file named by `--config`.
    pub(crate) config: Option<PathBuf>,
    /// All other flags as typed.
    pub(crate) overrides: Overrides,
}

/// Flags of the commands that only judge: `compare`. Flatten it.
#[derive(Clone, Debug, Default)]
pub(crate) struct JudgeArgs {
    /// The file named by `--config`.
    pub(crate) config: Option<PathBuf>,
    /// All other flags as typed.
    pub(crate) overrides: Overrides,
}

/// Keys that move a judgement of what was already measured, or where it goes.
const JUDGE_FLAGS: [&str; 15] = [
    "threshold",
    "gate",
    "ceiling",
    "confidence",
    "family-error",
    "on-inconclusive",
    "memory-headroom",
    "on-unmet-explanation",
    "on-unmet-profile",
    "trusted-ref",
    "field",
    "allow",
    "baseline",
    "store",
    "report-dir",
];

impl PlanArgs {
    /// A flag as typed that says how to measure, and nothing of what was measured already.
    pub(crate) fn measuring_flag(&self) -> Option<&'static str> {
        let judges = |flag: &str| JUDGE_FLAGS.contains(&flag) || ["commit", "quiet"].contains(&flag);
        let mut flags = KEYS.iter().map(|key| key.flag).filter(|flag| !judges(flag));
        flags.find(|flag| self.overrides.text(flag).is_some())
    }
}

fn plan_keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter()
}

fn judge_keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| JUDGE_FLAGS.contains(&key.flag))
}

fn config_arg() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help(format!(
            "Configuration file [default: {DEFAULT_FILE} where it exists] [env: {CONFIG_ENV}]"
        ))
        .help_heading(Group::Target.heading())
}

fn arg(key: &'static Key) -> Arg {
    let arg = Arg::new(key.flag)
        .long(key.flag)
        .value_name(key.value_name)
        .help(format!("{} [env: {}]", key.help, key.env))
        .help_heading(key.group.heading())
        .allow_negative_numbers(true);
    let arg = if key.flag == "output" { arg.short('o') } else { arg };
    match key.form {
        // `--quiet` alone is on; `--quiet=false` overrides a file that says on.
        Form::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        form if form.is_repeatable() => arg.action(ArgAction::Append),
        _ => arg,
    }
}

fn with_args(command: Command, keys: impl Iterator<Item = &'static Key>) -> Command {
    keys.fold(command.arg(config_arg()), |command, key| command.arg(arg(key)))
}

fn overrides(matches: &ArgMatches, keys: impl Iterator<Item = &'static Key>) -> Overrides {
    let mut overrides = Overrides::new();
    for key in keys {
        for text in matches.get_many::<String>(key.flag).into_iter().flatten() {
            overrides.push(key.flag, text);
        }
    }
    overrides
}

/// Makes a struct of this file one that clap's derive can flatten.
macro_rules! flattenable {
    ($type:ident, $keys:ident) => {
        impl FromArgMatches for $type {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                Ok(Self {
                    config: matches.get_one::<PathBuf>("config").cloned(),
                    overrides: overrides(matches, $keys()),
                })
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }

        impl Args for $type {
            fn augment_args(command: Command) -> Command {
                with_args(command, $keys())
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }
    };
}

flattenable!(PlanArgs, plan_keys);
flattenable!(JudgeArgs, judge_keys);

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        plan: PlanArgs,
    }

    #[derive(Debug, Parser)]
    struct JudgeCli {
        #[command(flatten)]
        judge: JudgeArgs,
    }

    fn expected(pairs: &[(&str, &str)]) -> Overrides {
        let mut overrides = Overrides::new();
        for (flag, text) in pairs {
            overrides.push(flag, text);
        }
        overrides
    }

    #[test]
    fn clap_finds_no_fault_with_the_flags() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        JudgeCli::command().debug_assert();
    }

    #[test]
    fn every_key_has_its_flag_and_its_heading() {
        let command = PlanArgs::augment_args(Command::new("perfgate"));
        for key in KEYS {
            let arg = command.get_arguments().find(|arg| arg.get_long() == Some(key.flag));
            let heading = arg.and_then(Arg::get_help_heading);
            assert_eq!(heading, Some(key.group.heading()), "{}", key.flag);
        }
    }

    #[test]
    fn repeated_flags_keep_their_order() {
        let args = [
            "perfgate",
            "--header",
            "A: 1",
            "--quiet",
            "--header=B: env:X",
            "-o",
            "x.json",
        ];
        let cli = Cli::parse_from(args);
        let flags = [
            ("header", "A: 1"),
            ("header", "B: env:X"),
            ("output", "x.json"),
            ("quiet", "true"),
        ];
        assert_eq!(cli.plan.overrides, expected(&flags));
        assert_eq!(cli.plan.config, None);
    }

    #[test]
    fn a_switch_does_not_swallow_the_next_word() {
        #[derive(Debug, Parser)]
        struct WithWord {
            #[command(flatten)]
            plan: PlanArgs,
            word: String,
        }
        let cli = WithWord::parse_from(["perfgate", "--quiet", "word"]);
        assert_eq!(cli.word, "word");
        assert_eq!(cli.plan.overrides, expected(&[("quiet", "true")]));
    }

    #[test]
    fn judging_knows_only_the_judging_flags() {
        let cli = JudgeCli::parse_from(["perfgate", "--threshold", "5%", "--allow", "gpu_driver"]);
        assert_eq!(
            cli.judge.overrides,
            expected(&[("threshold", "5%"), ("allow", "gpu_driver")])
        );
        assert!(JudgeCli::try_parse_from(["perfgate", "--url", "http://x"]).is_err());
    }

    #[test]
    fn a_scalar_flag_given_twice_is_refused() {
        assert!(Cli::try_parse_from(["perfgate", "--seed", "1", "--seed", "2"]).is_err());
    }
}
