//! What standard output and standard error can show, and the tables that are asked for.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};

use super::variable;
use crate::commands::{
    CommandError,
    present::{Format, Screen},
};

/// How tables are shown on a terminal.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct TableArgs {
    /// Every column of every table, however wide: runs, p values, what would be found, all figures.
    #[arg(long)]
    wide: bool,
    /// Only what is no pass and no improvement, with a line that says how much was left out.
    #[arg(long, value_enum, value_name = "WHAT")]
    only: Option<OnlyArg>,
}

/// The same of what has no verdicts.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct WideArgs {
    /// Every column of every table, however wide.
    #[arg(long)]
    wide: bool,
}

/// How a measurement under way is shown.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct LiveArgs {
    /// Show the figures so far in place of the bar: rates, TTFT and TPOT, failures, GPU; without a terminal a line now and
    /// then.
    #[arg(long, help_heading = "Output")]
    pub(super) watch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnlyArg {
    /// What blocks, warns or is not settled.
    Problems,
}

impl TableArgs {
    /// The screen as it is asked for.
    ///
    /// # Errors
    /// Another form than a terminal's has no such tables.
    pub(super) fn screen(self, format: Format) -> Result<Screen, CommandError> {
        let only_problems = self.only == Some(OnlyArg::Problems);
        let flag = if only_problems { "--only problems" } else { "--wide" };
        refuse(only_problems || self.wide, flag, format)?;
        Ok(Screen {
            is_wide: self.wide,
            only_problems,
            ..screen()
        })
    }
}

impl WideArgs {
    /// The same.
    pub(super) fn screen(self, format: Format) -> Result<Screen, CommandError> {
        refuse(self.wide, "--wide", format)?;
        Ok(Screen {
            is_wide: self.wide,
            ..screen()
        })
    }
}

fn refuse(is_asked: bool, flag: &str, format: Format) -> Result<(), CommandError> {
    if is_asked && format != Format::Terminal {
        return Err(CommandError::Usage(format!(
            "`{flag}` is for tables on a terminal; give `--format terminal`, or leave it out: the other forms hold everything"
        )));
    }
    Ok(())
}

/// Colour and width of standard output.
pub(super) fn screen() -> Screen {
    let is_terminal = io::stdout().is_terminal();
    let plain = Screen::default();
    let width = if is_terminal {
        terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0)
    } else {
        None
    };
    Screen {
        color: has_color(is_terminal, &variable),
        width: width.filter(|width| *width > 0).unwrap_or(plain.width),
        ..plain
    }
}

/// Whether a stream has colour: `NO_COLOR`, then `CLICOLOR_FORCE`, `CLICOLOR` and `TERM`, as <https://bixense.com/clicolors/>
/// has them.
pub(super) fn has_color(is_terminal: bool, variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let is_off = set("CLICOLOR").is_some_and(|value| value == "0");
    is_terminal && !is_off && !is_dumb(variable)
}

/// Whether the terminal moves no cursor, and so can redraw nothing.
pub(super) fn is_dumb(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    variable("TERM").is_some_and(|term| term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(is_terminal: bool, set: &[(&str, &str)]) -> bool {
        let variable = |name: &str| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        has_color(is_terminal, &variable)
    }

    #[test]
    fn colour_is_for_terminals_and_for_whoever_asks() {
        assert!(color(true, &[]) && !color(false, &[]));
        assert!(color(
            true,
            &[("TERM", "xterm"), ("NO_COLOR", ""), ("CLICOLOR_FORCE", "0")]
        ));
        assert!(color(false, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")]));
        for off in [
            &[("NO_COLOR", "1")][..],
            &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],
            &[("CLICOLOR", "0")],
            &[("TERM", "dumb")],
        ] {
            assert!(!color(true, off), "{off:?}");
        }
    }

    #[test]
    fn other_forms_have_no_tables_to_widen() {
        let wide = TableArgs { wide: true, only: None };
        assert!(wide.screen(Format::Terminal).unwrap().is_wide);
        let error = wide.screen(Format::Json).unwrap_err().to_string();
        assert!(error.starts_with("`--wide` is for tables on a terminal"), "{error}");
        let only = TableArgs {
            wide: false,
            only: Some(OnlyArg::Problems),
        };
        assert!(only.screen(Format::Terminal).unwrap().only_problems);
        assert!(only.screen(Format::Html).is_err());
        assert!(TableArgs::default().screen(Format::Markdown).is_ok());
    }
}
