//! What would be called, for `perfgate config show`: nothing is started or written.

use std::{fmt::Write as _, path::Path};

use super::{drive, preset::Place, unsaid::Given};
use crate::{
    commands::run::in_full,
    config::{Measure, Resolved},
};

/// The command line of each load level, a line each, its folder as `{out}`; none where perfgate itself measures.
pub fn shown(resolved: &Resolved) -> String {
    let Some(runner) = &resolved.settings.runner else {
        return String::new();
    };
    let plan = &resolved.plan;
    let url = match resolved.measure {
        Measure::Alone => plan.target.url.as_str(),
        // Each arm has its own.
        Measure::Ab => "{url}",
    };
    let levels = plan.loads.iter().map(|load| {
        let place = Place {
            plan,
            load,
            url,
            out: Path::new("{out}"),
            repeat: 0,
        };
        let level = plan.load_name(load);
        match drive::line(&runner.call, &place, Given::of(resolved)) {
            Err(error) => format!("runner at {level}: refused: {}\n", in_full(&error)),
            Ok(line) => {
                let mut text = format!("runner at {level}: {}\n", line.words.join(" "));
                if let Some((path, file)) = line.file {
                    let _ = writeln!(text, "  with `{}`:", path.display());
                    for line in file.lines() {
                        let _ = writeln!(text, "    {line}");
                    }
                }
                text
            }
        }
    });
    levels.collect()
}
