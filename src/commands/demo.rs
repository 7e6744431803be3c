//! `perfgate demo`: the whole gate in a minute, on two embedded engines over sockets, one of them slowed on purpose.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    CommandError, Console, Done,
    ab::{self, Follow, Wanted},
    guard::Guard,
    present::{self, Format, Screen},
    run,
};
use crate::{
    load::Interrupt,
    plan::{Alternation, ArmPlace, Arms, Lengths, Load, Plan, Prompts, Secrets, Target, Workload},
    report::{self, Reference, Report},
    session::{Ended, Session},
    sim::{EngineConfig, Server, Slowdown},
    store,
    verdict::Policy,
};

/// Where the demo writes its files.
pub const FOLDER: &str = "perfgate-demo";

/// What is planted in the candidate: every output token takes this much longer.
const PLANTED_TPOT_PCT: f64 = 12.0;

/// Measures a healthy engine and a candidate in alternation, judges, and writes the reports.
///
/// The exit code is 0 when the demo worked; its text says what a gate would have answered.
///
/// # Errors
/// When an engine cannot start, or a file cannot be written.
pub fn demo(clean: bool, screen: Screen, console: &dyn Console, interrupt: &Interrupt) -> Result<Done, CommandError> {
    let folder = Path::new(FOLDER);
    store::claim_output(&folder.join("baseline.json"))?;
    let planted = if clean { 0.0 } else { PLANTED_TPOT_PCT };
    let (old, new) = (engine(0.0, 1)?, engine(planted, 2)?);
    let wanted = wanted([&old, &new]);
    let sessions = ab::measure(&wanted, &mut Judge, console, interrupt)?;
    if sessions.iter().any(|session| session.ended == Ended::Interrupted) {
        return Ok(Done {
            text: "interrupted: nothing was judged\n".to_owned(),
            exit_code: run::UNUSABLE,
        });
    }
    for (session, name) in sessions.iter().zip(NAMES) {
        store::write_session(&folder.join(name), session)?;
    }
    let mut report = judge(&sessions);
    let [baseline, candidate] = &sessions;
    report.draw(Some(baseline), candidate);
    let mut text = present::text(&report, Format::Terminal, screen)?;
    present::write_files(&report, folder, (&Guard::default(), console))?;
    text.push_str(&epilogue(clean, report.exit_code));
    Ok(Done::ok(text))
}

/// The session files, baseline first.
const NAMES: [&str; 2] = ["baseline.json", "candidate.json"];

fn judge([baseline, candidate]: &[Session; 2]) -> Report {
    let [name_b, name_c] = NAMES.map(|name| format!("{FOLDER}/{name}"));
    let reference = Reference::alone(&name_b, baseline);
    report::build(Some(&reference), (&name_c, candidate), &Policy::default())
}

/// Stops at the first look that settles it.
struct Judge;

impl Follow for Judge {
    fn on_pair(&mut self, _sessions: &[Session; 2]) {}

    fn why_stop(&mut self, sessions: &[Session; 2]) -> Option<String> {
        ab::why_stop(&judge(sessions)).map(str::to_owned)
    }
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

fn engine(tpot_pct: f64, seed: u64) -> Result<Server, CommandError> {
    let config = EngineConfig {
        slow: Slowdown {
            tpot_pct,
            ..Slowdown::default()
        },
        seed,
        // Faster than the default engine, so that the demo fits into a minute or two.
        decode_step_us: 2500.0,
        ..EngineConfig::default()
    };
    Ok(Server::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?)
}

fn wanted(engines: [&Server; 2]) -> Wanted<'static> {
    let [baseline, candidate] = engines.map(|engine| ArmPlace::Url(engine.url()));
    let [engine, _] = engines;
    Wanted {
        plan: plan(&engine.url()),
        alternation: Alternation::default(),
        arms: Arms {
            baseline,
            candidate,
            together: true,
            start_timeout: Duration::ZERO,
            metrics: [None, None],
            build_timeout: Duration::ZERO,
        },
        secrets: Secrets::default(),
        dataset_dir: Path::new(""),
        idle_answers: None,
        log_dir: PathBuf::new(),
        commit: None,
        built: None,
        withholds_secrets: false,
    }
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
