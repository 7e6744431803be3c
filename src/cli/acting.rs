//! `action`: any of the verbs as `action.yml` asks for it, and the outputs of its step.

use clap::Parser;

use super::{
    exit,
    flags::Cli,
    sending::{Ran, of_the_job, ran},
    variable, warn_runner,
};
use crate::{
    commands::{
        CommandError, Done,
        action::{self, Inputs},
        present,
    },
    github::Step,
};

/// The runner shows no more warnings of one step.
const MOST_WARNINGS: usize = 10;

/// Runs `action`: the command line that the inputs make, and all outputs, whatever became of it.
pub(super) fn action() -> Result<Done, CommandError> {
    let step = Step::from_variables(&variable);
    let inputs = match Inputs::read(&variable) {
        Ok(inputs) => inputs,
        Err(error) => {
            step.set(&action::outputs(None, exit::USAGE, (None, None)))?;
            present::remove_reports(&action::report_dir(&variable))?;
            return Err(error);
        }
    };
    for name in inputs.ignored.iter().take(MOST_WARNINGS) {
        let text = format!("the input `{name}` says nothing to `{}`", inputs.command.word());
        warn_runner("perfgate", &text);
    }
    let words = std::iter::once("perfgate".to_owned()).chain(inputs.words.iter().cloned());
    let ended = inputs.sweep().and_then(|()| match Cli::try_parse_from(words) {
        Ok(cli) => ran(cli.verb),
        Err(error) => Err(CommandError::Usage(error.to_string().trim_end().to_owned())),
    });
    let (code, sent, judged) = match &ended {
        Ok(ran) => (ran.done.exit_code, ran.sent.as_ref(), inputs.outcome()),
        Err(error) => (exit::code(error), None, None),
    };
    let outcome = sent.and_then(|sent| sent.outcome.clone()).or(judged);
    step.set(&action::outputs(Some(&inputs), code, (outcome.as_ref(), sent)))?;
    for trouble in sent.into_iter().flat_map(|sent| &sent.trouble).take(MOST_WARNINGS) {
        warn_runner("perfgate could not post", trouble);
    }
    let ran = ended?;
    Ok(of_the_job(Ran {
        fail_on: ran.fail_on.or(inputs.fail_on),
        ..ran
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_action_is_one_that_the_door_knows() {
        let variable = |name: &str| {
            let value = match name {
                "INPUT_CONFIG" => "ci/perfgate.yaml",
                "INPUT_TRUSTED_REF" | "INPUT_BASELINE" => "main",
                "INPUT_FAIL_ON" => "never",
                "INPUT_COMMENT" => "changes",
                "INPUT_COMMENT_MODE" => "recreate",
                "INPUT_COMMENT_KEY" => "fp8",
                "INPUT_PR_NUMBER" => "12",
                "INPUT_CHECK_RUN" | "INPUT_SUMMARY" | "INPUT_DRY_RUN" => "false",
                "INPUT_REPORT_DIR" => "out",
                "INPUT_REPORT_URL" => "https://github.com/o/r",
                "INPUT_CANDIDATE" => "session.json",
                _ => return None,
            };
            Some(value.to_owned())
        };
        for command in ["gate", "run", "compare", "post"] {
            let with = |name: &str| {
                if name == "INPUT_COMMAND" {
                    Some(command.to_owned())
                } else {
                    variable(name)
                }
            };
            let words = Inputs::read(&with).unwrap().words;
            let parsed = Cli::try_parse_from(std::iter::once("perfgate".to_owned()).chain(words.clone()));
            assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
        }
    }
}
