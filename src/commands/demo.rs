//! `perfgate demo`: the whole gate in a minute, on two embedded engines over sockets, one of them slowed on purpose.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use super::{
    CommandError, Console, Done,
    measure::{self, Arm},
    present::{self, Format, Screen},
    run,
};
use crate::{
    load::Interrupt,
    plan::{Lengths, Load, Plan, Prompts, Secrets, Target, Workload},
    report::{self, Reference},
    session::{Ended, Session},
    sim::{EngineConfig, Server, Slowdown},
    store,
    verdict::Policy,
};

/// Where the demo writes its files.
pub const FOLDER: &str = "perfgate-demo";

/// What is planted in the candidate: every output token takes this much longer.
const PLANTED_TPOT_PCT: f64 = 12.0;

/// Measures a healthy engine and a candidate, judges, and writes the reports.
///
/// The exit code is 0 when the demo worked; its text says what a gate would have answered.
///
/// # Errors
/// When an engine cannot start, or a file cannot be written.
pub fn demo(clean: bool, screen: Screen, console: &dyn Console, interrupt: &Interrupt) -> Result<Done, CommandError> {
    let folder = Path::new(FOLDER);
    store::claim_output(&folder.join("baseline.json"))?;
    let planted = if clean { 0.0 } else { PLANTED_TPOT_PCT };
    let baseline = arm("baseline", (0.0, 1), console, interrupt)?;
    let candidate = arm("candidate", (planted, 2), console, interrupt)?;
    if [&baseline, &candidate]
        .iter()
        .any(|session| session.ended == Ended::Interrupted)
    {
        return Ok(Done {
            text: "interrupted: nothing was judged\n".to_owned(),
            exit_code: run::UNUSABLE,
        });
    }
    store::write_session(&folder.join("baseline.json"), &baseline)?;
    store::write_session(&folder.join("candidate.json"), &candidate)?;
    let [name_b, name_c] = ["baseline.json", "candidate.json"].map(|name| format!("{FOLDER}/{name}"));
    let report = report::build(
        Some(&Reference::alone(&name_b, &baseline)),
        (&name_c, &candidate),
        &Policy::default(),
    );
    let mut text = present::text(&report, Format::Terminal, screen)?;
    present::write_files(&report, folder)?;
    text.push_str(&epilogue(clean, report.exit_code));
    Ok(Done::ok(text))
}

fn epilogue(clean: bool, exit_code: u8) -> String {
    let planted = if clean {
        "Both engines were the same software.".to_owned()
    } else {
        format!("The candidate's engine was slowed on purpose: TPOT +{PLANTED_TPOT_PCT} %.")
    };
    format!(
        "\n{planted} In CI, `perfgate gate` would have exited with {exit_code}.\n\
         Wrote {FOLDER}/report.html, report.md, report.json and both sessions.\n"
    )
}

fn arm(
    name: &'static str,
    (tpot_pct, seed): (f64, u64),
    console: &dyn Console,
    interrupt: &Interrupt,
) -> Result<Session, CommandError> {
    let config = EngineConfig {
        slow: Slowdown {
            tpot_pct,
            ..Slowdown::default()
        },
        seed,
        // Faster than the default engine, so that the demo fits into a minute.
        decode_step_us: 2500.0,
        ..EngineConfig::default()
    };
    let server = Server::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let arm = Arm {
        name: Some(name),
        plan: plan(&server.url()),
        secrets: Secrets::default(),
        dataset_dir: Path::new(""),
        commit: None,
    };
    measure::measure(arm, console, interrupt, &mut |_| ())
}

fn plan(url: &str) -> Plan {
    let target = Target {
        extra_body: BTreeMap::from([("ignore_eos".to_owned(), "true".to_owned())]),
        ..Target::at(url)
    };
    let prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(64),
    };
    // Answers of equal length would end together, and requests march in waves.
    let workload = Workload::new(prompts, Lengths::Uniform { min: 12, max: 20 });
    Plan::new(target, workload, vec![Load::Concurrency(4), Load::Concurrency(16)])
}
