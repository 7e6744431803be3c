//! The flags of `perfgate export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{console, resolve_with, variable};
use crate::{
    commands::{
        CommandError, Done,
        export::{self, Asked, Form},
        guard::Guard,
    },
    config::Overrides,
    metric::Better,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  perfgate export session.json --to bencher | bencher run --adapter json --file /dev/stdin
  perfgate export session.json --to github-action-benchmark -o bench.json
  perfgate export perfgate-report/report.json --to junit -o junit.xml
  perfgate export perfgate-report/report.json --to openmetrics -o /var/lib/node_exporter/perfgate.prom
  perfgate export session.json --to ndjson -o requests.ndjson
  perfgate export session.json --to llm-d -o reports/
docs/export.md says what each form holds.";

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Session or baseline file, or `report.json`.
    #[arg(value_name = "SESSION|REPORT")]
    file: PathBuf,
    /// The form.
    #[arg(long, value_enum)]
    to: FormatOf,
    /// File to write instead of standard output; for several runs of `llm-d` a folder, ending in `/`.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only figures that are better in this direction, for `github-action-benchmark`.
    #[arg(long, value_enum)]
    better: Option<Direction>,
    /// Only this cell, by its name, for `llm-d`.
    #[arg(long)]
    cell: Option<String>,
    /// Only this run of each cell, from 1, for `llm-d`.
    #[arg(long, value_name = "N")]
    run: Option<usize>,
    /// Configuration file, whose keys must not be written [default: perfgate.yaml where it exists] [env: `PERFGATE_CONFIG`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatOf {
    /// Bencher Metric Format: medians of the candidate with the reach of the runs.
    Bencher,
    /// The custom JSON of github-action-benchmark, one file for each direction.
    GithubActionBenchmark,
    /// `OpenMetrics` text, which Prometheus reads.
    #[value(alias = "prometheus")]
    Openmetrics,
    /// One line for each figure of each run.
    Csv,
    /// `JUnit` XML: each check of a report is a test case.
    Junit,
    /// One JSON object for each request.
    #[value(alias = "jsonl")]
    Ndjson,
    /// llm-d's Benchmark Report v0.2, of one run.
    LlmD,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Direction {
    /// Latencies, errors, memory (`tool: customSmallerIsBetter`).
    #[value(alias = "smaller")]
    Lower,
    /// Throughput (`tool: customBiggerIsBetter`).
    #[value(alias = "bigger")]
    Higher,
}

/// Runs `export`.
pub(super) fn export(flags: &ExportArgs) -> Result<Done, CommandError> {
    let resolved = resolve_with(flags.config.as_deref(), &Overrides::new())?;
    let asked = Asked {
        file: &flags.file,
        form: match flags.to {
            FormatOf::Bencher => Form::Bencher,
            FormatOf::GithubActionBenchmark => Form::ActionBenchmark,
            FormatOf::Openmetrics => Form::OpenMetrics,
            FormatOf::Csv => Form::Csv,
            FormatOf::Junit => Form::Junit,
            FormatOf::Ndjson => Form::Requests,
            FormatOf::LlmD => Form::LlmD,
        },
        better: flags.better.map(|direction| match direction {
            Direction::Lower => Better::Lower,
            Direction::Higher => Better::Higher,
        }),
        cell: flags.cell.as_deref(),
        run: flags.run,
        output: flags.output.as_deref(),
    };
    export::export(&asked, &Guard::of_job(&resolved, &variable), &console(&resolved))
}
