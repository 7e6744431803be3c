//! What comes next: from the service to the operator, to the gaps, to the kernel's limit, with the commands for the engine.

use super::sections::Section;
use crate::{
    op_table::{
        Clock, OpTable, Source,
        diff::{Counted, Diff, Level, TimeRow},
    },
    render::reproduce::shell_word,
};

/// The steps after the one whose files these are; for files without a device, the last two need one first.
pub(super) fn of_diff(diff: &Diff) -> Section {
    let server = server_command(diff.engine.as_deref(), &diff.origin.server);
    section(
        (diff.source, diff.clock),
        (diff.engine.as_deref(), &server),
        kernel(diff).as_deref(),
    )
}

pub(super) fn of_capture(table: &OpTable) -> Section {
    let kernels = table.phases.iter().flat_map(|phase| &phase.kernels);
    let longest = kernels
        .max_by_key(|kernel| kernel.time_ns)
        .map(|kernel| pattern(&kernel.name));
    let server = server_command(table.engine.as_deref(), &[]);
    section(
        (table.source, table.clock),
        (table.engine.as_deref(), &server),
        longest.as_deref(),
    )
}

/// The kernel that is worth a look: the one that differs most in what is done, else in time.
fn kernel(diff: &Diff) -> Option<String> {
    let changes = diff.phases.iter().flat_map(|phase| &phase.structure.changes);
    let mut kernels = changes.filter(|change| change.counted == Counted::Kernel && change.calls[1] > 0.0);
    let slower = || {
        let times = diff.phases.iter().filter_map(|phase| phase.time.as_ref());
        let rows = times
            .flat_map(|time| &time.rows)
            .filter(|_| diff.level == Level::Kernel);
        let by = |row: &&TimeRow| row.values.change();
        rows.filter(|row| row.calls[1] > 0.0)
            .max_by(|a, b| by(a).total_cmp(&by(b)))
            .map(|row| pattern(&row.row.name))
    };
    let first = kernels.next().map(|change| pattern(&change.row.name));
    first.or_else(slower)
}

/// Letters, digits and `_` of the name: what a regular expression takes as it stands.
fn pattern(name: &str) -> String {
    let short = crate::op_table::short_name(name);
    short
        .chars()
        .take_while(|sign| sign.is_alphanumeric() || *sign == '_')
        .collect()
}

fn section((source, clock): (Source, Clock), (engine, server): (Option<&str>, &str), kernel: Option<&str>) -> Section {
    let done = match source {
        Source::TorchTrace => 2,
        Source::NsysSqlite | Source::NsysKernelSums => 3,
        Source::NcuRaw | Source::NcuDetails => 4,
    };
    let mut lines = Vec::new();
    for (number, step) in (1..).zip(steps((engine, server), kernel)) {
        let state = match number {
            1 => "first",
            number if number < done => "before",
            number if number == done => "this",
            _ if clock == Clock::Host => "needs a device",
            _ => "next",
        };
        lines.push(format!("{number}. {} ({state})", step.what));
        if number > done || number == 1 {
            lines.extend(step.commands.into_iter().map(|command| format!("     `{command}`")));
        }
    }
    Section {
        title: "The routine: service, operator, gaps, kernel".to_owned(),
        lines,
        ..Section::default()
    }
}

struct Step {
    what: String,
    commands: Vec<String>,
}

fn steps((engine, server): (Option<&str>, &str), kernel: Option<&str>) -> [Step; 4] {
    let kernel = kernel.filter(|name| !name.is_empty()).unwrap_or("KERNEL");
    [
        Step {
            what: "the service's metric, without a profiler: did TTFT or TPOT change?".to_owned(),
            commands: vec!["perfgate gate --ab".to_owned()],
        },
        Step {
            what: "the operator, with torch.profiler: 5 to 20 steps, shapes on, stacks off".to_owned(),
            commands: torch_commands(engine, server),
        },
        Step {
            what: "the gaps, with Nsight Systems: does the device wait for the host?".to_owned(),
            commands: vec![
                format!(
                    "nsys profile -o bad -f true -t cuda,nvtx,osrt --sample=none --cpuctxsw=none --cuda-graph-trace=node \
                     --trace-fork-before-exec=true {server}"
                ),
                "nsys export --type sqlite -o bad.sqlite bad.nsys-rep".to_owned(),
                "perfgate profile diff good.sqlite bad.sqlite".to_owned(),
            ],
        },
        Step {
            what: "the kernel's limit, with Nsight Compute: bytes, arithmetic, latency or a small grid?".to_owned(),
            commands: vec![
                format!(
                    "ncu --target-processes all --section SpeedOfLight --section LaunchStats -k regex:{kernel} -c 10 -o bad {server}"
                ),
                "ncu --import bad.ncu-rep --page raw --csv --print-units base > bad.csv".to_owned(),
                "perfgate profile show bad.csv".to_owned(),
            ],
        },
    ]
}

fn is(engine: Option<&str>, name: &str) -> bool {
    engine.is_some_and(|engine| engine.starts_with(name))
}

/// What starts the server: as it was started where that is known, else with words to be filled in.
fn server_command(engine: Option<&str>, known: &[String]) -> String {
    let usual = if is(engine, "vLLM") {
        "vllm serve MODEL"
    } else if is(engine, "SGLang") {
        "python -m sglang.launch_server --model-path MODEL"
    } else {
        "SERVER"
    };
    if known.is_empty() {
        return usual.to_owned();
    }
    let words: Vec<String> = known.iter().map(|word| argument(word)).collect();
    words.join(" ")
}

/// A word of a command; `-x` is an option there, and no file of that name.
fn argument(word: &str) -> String {
    let rest = word.trim_start_matches('-');
    if shell_word(rest) == rest {
        word.to_owned()
    } else {
        shell_word(word)
    }
}

fn with_server(server: &str, [config, switches]: [&str; 2]) -> Vec<String> {
    vec![format!("{server} {config}"), switches.to_owned()]
}

/// How the engine's own profiler is switched on and off.
fn torch_commands(engine: Option<&str>, server: &str) -> Vec<String> {
    let server = if is(engine, "vLLM") { server } else { "vllm serve MODEL" };
    let vllm = [
        "--profiler-config '{\"profiler\":\"torch\",\"torch_profiler_dir\":\"/tmp/traces\",\
         \"torch_profiler_record_shapes\":true,\"torch_profiler_with_memory\":true,\"torch_profiler_with_stack\":false}'",
        "curl -X POST http://127.0.0.1:8000/start_profile; …; curl -X POST http://127.0.0.1:8000/stop_profile",
    ];
    let sglang = [
        "curl -X POST http://127.0.0.1:30000/start_profile -H 'content-type: application/json' -d '{\"output_dir\":\"/tmp/traces\",\
         \"num_steps\":10,\"activities\":[\"CPU\",\"GPU\"],\"record_shapes\":true,\"with_stack\":false,\"profile_by_stage\":true}'",
    ];
    match (is(engine, "vLLM"), is(engine, "SGLang")) {
        (true, _) => with_server(server, vllm),
        (_, true) => sglang.map(str::to_owned).to_vec(),
        _ => {
            let sglang = sglang.into_iter().map(str::to_owned);
            with_server(server, vllm).into_iter().chain(sglang).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_server_whose_command_is_known_is_named_by_it() {
        let known = words(&[
            "vllm",
            "serve",
            "org/model 7b",
            "-tp",
            "2",
            "--port",
            "8000",
            "--hf-overrides={\"a\": 1}",
        ]);
        let server = server_command(Some("vLLM 0.32.0"), &known);
        assert_eq!(
            server,
            "vllm serve 'org/model 7b' -tp 2 --port 8000 '--hf-overrides={\"a\": 1}'"
        );
        let [_, torch, gaps, limit] = steps((Some("vLLM 0.32.0"), &server), Some("gemm"));
        let texts = [&torch.commands[0], &gaps.commands[0], &limit.commands[0]];
        for text in texts {
            assert!(text.contains(&server) && !text.contains("MODEL"), "{text}");
        }
        assert_eq!(server_command(Some("vLLM"), &[]), "vllm serve MODEL");
        assert_eq!(server_command(None, &[]), "SERVER");
    }
}
