//! The verbs and their flags as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{
    args::{JudgeArgs, PlanArgs},
    bisect::{self, BisectArgs},
    check::{self, CheckArgs},
    examples::{
        CAPACITY_EXAMPLES, COMPARE_EXAMPLES, EXIT_CODES, GATE_EXAMPLES, HISTORY_EXAMPLES, NOISE_EXAMPLES,
        POST_EXAMPLES, SELFTEST_EXAMPLES, SWEEP_EXAMPLES, WATCH_EXAMPLES,
    },
    export::{self, ExportArgs},
    forms::{FormArgs, FormatArg, SchemaOf},
    import::{self, ImportArgs},
    keeping::{self, CopyArgs, GcArgs},
    launch::LaunchVerb,
    looking::{HistoryArgs, NoiseArgs},
    mlperf::MlperfVerb,
    posting::PostArgs,
    profile::ProfileVerb,
    screen::{LiveArgs, WideArgs},
    search::{LadderArgs, SearchArgs},
    serve::EngineArgs,
    sharding::{self, MergeArgs, ShardArgs},
    site::{self, SiteArgs},
    watching::WatchArgs,
};

/// Tells whether a change made your LLM server slower or hungrier.
#[derive(Debug, Parser)]
#[command(name = "perfgate", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Measure a server into a session file.
    #[command(after_help = sharding::RUN_EXAMPLES)]
    Run {
        #[command(flatten)]
        plan: PlanArgs,
        #[command(flatten)]
        live: LiveArgs,
        #[command(flatten)]
        shard: ShardArgs,
    },
    /// Make the session of a whole measurement from those of its shards.
    #[command(after_help = sharding::MERGE_EXAMPLES)]
    Merge(MergeArgs),
    /// Measure from many machines: share the plan out over the workers of a cluster, and merge what they measured.
    Launch {
        #[command(subcommand)]
        verb: LaunchVerb,
    },
    /// Measure, compare with the stored baseline or with a second server, and write the reports.
    #[command(after_help = GATE_EXAMPLES)]
    Gate {
        /// A session, or another tool's result or a folder of them: judged as it is, and nothing is measured.
        #[arg(value_name = "FILE", conflicts_with_all = ["ab", "profile_on_regression"])]
        file: Option<PathBuf>,
        #[command(flatten)]
        plan: PlanArgs,
        /// Measure baseline and candidate in alternation, as `--measure ab`.
        #[arg(long, help_heading = "A/B measurement", conflicts_with = "measure")]
        ab: bool,
        #[command(flatten)]
        form: FormArgs,
        #[command(flatten)]
        live: LiveArgs,
        /// After a regression, run its worst cell again under a profiler on both arms, for a short window.
        #[arg(long, help_heading = "Profiling")]
        profile_on_regression: bool,
        /// Post what came of it, as `perfgate post` does.
        #[arg(long, help_heading = "Posting")]
        post: bool,
        #[command(flatten)]
        posting: Box<PostArgs>,
    },
    /// Judge a result by the rules of the base, and tell the pull request: comment, check, job summary.
    #[command(after_help = POST_EXAMPLES)]
    Post {
        /// The result of a gate [default: result.json in the report folder]
        #[arg(value_name = "RESULT")]
        result: Option<PathBuf>,
        #[command(flatten)]
        posting: Box<PostArgs>,
        #[command(flatten)]
        plan: PlanArgs,
    },
    /// What `action.yml` runs: takes its inputs from `INPUT_*` variables and sets its outputs.
    #[command(hide = true)]
    Action,
    /// Find the highest rate (or concurrency) that still meets the SLO.
    #[command(after_help = CAPACITY_EXAMPLES)]
    Capacity {
        #[command(flatten)]
        plan: PlanArgs,
        #[command(flatten)]
        search: SearchArgs,
        #[command(flatten)]
        live: LiveArgs,
    },
    /// Measure a ladder of load levels up to where the server is saturated, and draw throughput against latency.
    #[command(after_help = SWEEP_EXAMPLES)]
    Sweep {
        #[command(flatten)]
        plan: PlanArgs,
        #[command(flatten)]
        ladder: LadderArgs,
        #[command(flatten)]
        live: LiveArgs,
    },
    /// Look at a measurement that is going on in another terminal: rates, latencies so far, failures, GPU.
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(WatchArgs),
    /// Find the commit that made a metric worse: each is built, started and measured, through noise.
    #[command(after_help = bisect::EXAMPLES)]
    Bisect {
        #[command(flatten)]
        plan: PlanArgs,
        #[command(flatten)]
        search: Box<BisectArgs>,
    },
    /// Tell whether what runs is slower than what is stored, in the exit codes of `git bisect run`.
    #[command(after_help = check::EXAMPLES)]
    Check {
        #[command(flatten)]
        plan: PlanArgs,
        #[command(flatten)]
        check: CheckArgs,
        #[command(flatten)]
        live: LiveArgs,
    },
    /// What `git bisect run` calls: asks the search at this socket.
    #[command(hide = true)]
    BisectStep { socket: PathBuf },
    /// Judge a session against another one, or against the stored baseline.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare {
        /// Baseline and candidate (session or baseline files); a candidate alone looks in the store.
        #[arg(num_args = 1..=2, required = true, value_names = ["BASELINE", "CANDIDATE"])]
        files: Vec<PathBuf>,
        #[command(flatten)]
        judge: JudgeArgs,
        #[command(flatten)]
        form: FormArgs,
    },
    /// Read the results of another tool (vLLM's bench, AIPerf, SGLang's, …) as a session.
    #[command(after_help = import::EXAMPLES)]
    Import(ImportArgs),
    /// Look at a benchmark submission (the logs of its runs, its systems), and put a session beside it.
    Mlperf {
        #[command(subcommand)]
        verb: MlperfVerb,
    },
    /// Keep sessions to compare with.
    Baseline {
        #[command(subcommand)]
        verb: BaselineVerb,
    },
    /// Look into profiles, tell what differs between two sides, and give the profiling report that a warning asked for.
    Profile {
        #[command(subcommand)]
        verb: ProfileVerb,
    },
    /// Show the stored sessions of a baseline over time: steps, who answers for them, and what nobody answers for.
    #[command(after_help = HISTORY_EXAMPLES)]
    History(HistoryArgs),
    /// Write the stored baselines as static pages: an index, and each metric over time.
    #[command(after_help = site::EXAMPLES)]
    Site(SiteArgs),
    /// Show how far apart one server lies on this machine, what a gate can tell with that, and how often it would block for
    /// nothing.
    #[command(after_help = NOISE_EXAMPLES)]
    Noise {
        /// Session and baseline files of one server [default: the stored baseline]
        #[arg(value_name = "SESSION")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        noise: NoiseArgs,
        #[command(flatten)]
        plan: PlanArgs,
        #[command(flatten)]
        live: LiveArgs,
    },
    /// Show a session or the newest one of a baseline file.
    Show {
        /// Session or baseline file.
        file: PathBuf,
        /// `terminal` for people, `json` for programs.
        #[arg(long, value_enum, default_value_t)]
        format: FormatArg,
        #[command(flatten)]
        tables: WideArgs,
    },
    /// Render a stored verdict (`report.json`) again.
    Report {
        /// A `report.json`.
        #[arg(value_name = "RESULT")]
        file: PathBuf,
        #[command(flatten)]
        form: FormArgs,
        /// Print what a template of your own is given, as JSON.
        #[arg(long, conflicts_with_all = ["format", "template", "wide", "only"])]
        context: bool,
        /// What `perfgate profile diff GOOD BAD --format json` wrote, shown beside the verdict.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["context", "template"])]
        profile_diff: Option<PathBuf>,
        /// File to write instead of standard output.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Write a session or a verdict as other tools read it: dashboards, Prometheus, test reporters, spreadsheets.
    #[command(after_help = export::EXAMPLES)]
    Export(ExportArgs),
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Write a commented `perfgate.yaml`.
    Init {
        /// File to write.
        #[arg(default_value = "perfgate.yaml")]
        path: PathBuf,
        /// Overwrite a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Print a JSON Schema.
    Schema {
        /// Of which file.
        #[arg(value_enum, default_value_t)]
        of: SchemaOf,
    },
    /// Serve the embedded engine: an OpenAI-compatible server with continuous batching.
    Sim {
        #[command(flatten)]
        engine: Box<EngineArgs>,
    },
    /// Measure what perfgate itself adds to the numbers on this machine, and how much it can carry.
    #[command(after_help = SELFTEST_EXAMPLES)]
    Selftest {
        /// A few seconds instead of twenty to thirty.
        #[arg(long)]
        quick: bool,
        /// Keep the figures for this machine: sessions that it measures carry them.
        #[arg(long)]
        store: bool,
        /// No progress bar.
        #[arg(long)]
        quiet: bool,
    },
    /// See the whole gate in a minute, on two embedded engines.
    Demo {
        /// Plant nothing: both engines are the same.
        #[arg(long)]
        clean: bool,
        /// Find a planted commit in a repository of twelve instead.
        #[arg(long, conflicts_with = "clean")]
        bisect: bool,
        /// No progress bar.
        #[arg(long)]
        quiet: bool,
        #[command(flatten)]
        live: LiveArgs,
    },
    /// Print the completion script of a shell.
    Completions { shell: clap_complete::Shell },
    /// Write man pages, one for each verb.
    Man {
        /// Folder to write them into.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum BaselineVerb {
    /// Append a session to the baseline of its plan and environment.
    Save(SaveArgs),
    /// List what is stored.
    List {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Show the newest session of a baseline.
    Show {
        /// Name, hash or file name.
        name: String,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Answer for a change of level on the main branch: sessions before it are no measure any more.
    Accept(AcceptArgs),
    /// Check later sessions against this one for slow creep, however the history moves on.
    Pin {
        /// Name, hash or file name; may be left out where there is one baseline.
        name: Option<String>,
        /// Commit or hash of the session [default: the newest]
        #[arg(long)]
        commit: Option<String>,
        /// Take the pin away.
        #[arg(long, conflicts_with = "commit")]
        remove: bool,
        /// Who pins it [default: `GITHUB_ACTOR`, else git's `user.name`, else `USER`]
        #[arg(long)]
        who: Option<String>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Copy all baselines from one store to another, hashes and all.
    #[command(after_help = keeping::COPY_EXAMPLES)]
    Copy(CopyArgs),
    /// Take away old sessions that no gate goes by, and what nothing refers to.
    #[command(after_help = keeping::GC_EXAMPLES)]
    Gc(GcArgs),
    /// Remove a baseline with its history.
    Rm {
        /// Name, hash or file name.
        name: String,
        #[command(flatten)]
        store: StoreArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct SaveArgs {
    /// Session file.
    pub(super) session: PathBuf,
    /// A name for people.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Save it although it is noisy, was interrupted or is a candidate; what was overridden is kept with it.
    #[arg(long)]
    pub(super) force: bool,
    /// Why it may be worse than what is stored by more than the limits; it is kept as an accepted step.
    #[arg(long, value_name = "REASON")]
    pub(super) accept: Option<String>,
    /// Who says so [default: `GITHUB_ACTOR`, else git's `user.name`, else `USER`]
    #[arg(long, requires = "accept")]
    pub(super) who: Option<String>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    /// Name, hash or file name; may be left out where there is one baseline.
    pub(super) name: Option<String>,
    /// Why the step is accepted.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    /// Commit of the first session after the step [default: the newest step that nobody answers for, else the newest
    /// session]
    #[arg(long)]
    pub(super) commit: Option<String>,
    /// Only this metric, by its key (`tpot_p95`) [default: all]
    #[arg(long)]
    pub(super) metric: Option<String>,
    /// Only this cell, by its name [default: all]
    #[arg(long)]
    pub(super) cell: Option<String>,
    /// Who accepts it [default: `GITHUB_ACTOR`, else git's `user.name`, else `USER`]
    #[arg(long)]
    pub(super) who: Option<String>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// Folder or address of the stored baselines [default: baselines] [env: `PERFGATE_STORE`]
    #[arg(long, value_name = "DIR|ADDRESS")]
    pub(super) store: Option<String>,
    /// Configuration file [default: perfgate.yaml where it exists] [env: `PERFGATE_CONFIG`]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigVerb {
    /// Print the resolved plan, and where each value comes from.
    Show {
        #[command(flatten)]
        plan: PlanArgs,
    },
}
