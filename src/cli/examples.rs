//! What the help of a verb ends with.

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  pass (improvements and plain warnings included)
  1  regression: merge is blocked
  2  usage or configuration error
  3  not settled: inconclusive, incomparable, no baseline, or a profiling report owed
  4  measurement failed or is invalid
  5  the verdict stands but could not be posted";

pub(super) const CAPACITY_EXAMPLES: &str = "\
Examples:
  perfgate capacity --url http://127.0.0.1:8000 --slo ttft=2s,tpot=200ms
  perfgate capacity --slo e2e=10s --axis concurrency --max 256 --precision 10% --attainment 95% --requests 400
Writes a session that `compare`, `gate` and `baseline` read.";

pub(super) const GATE_EXAMPLES: &str = "\
Examples:
  perfgate gate --url http://127.0.0.1:8000
  perfgate gate --ab --baseline-url http://127.0.0.1:8001 --candidate-url http://127.0.0.1:8002
  perfgate gate --ab --baseline-command 'serve old --port {port}' --candidate-command 'serve new --port {port}'
  perfgate gate vllm-head.json --baseline vllm-base.json";

pub(super) const COMPARE_EXAMPLES: &str = "\
Examples:
  perfgate compare main.json session.json
  perfgate compare main.json session.json --only problems
  perfgate compare main.json session.json --wide | less -S";

pub(super) const SELFTEST_EXAMPLES: &str = "\
Exits with 0 where all limits are kept, with 4 where not: then a busy or a small machine would be measured, not a server.

Examples:
  perfgate selftest
  perfgate selftest --quick --store
The figures are kept in the file that PERFGATE_SELFTEST names, else in ~/.cache/perfgate/selftest.json.";

pub(super) const POST_EXAMPLES: &str = "\
Examples:
  perfgate post --dry-run
  perfgate post perfgate-report/result.json --comment changes
  perfgate gate --post --fail-on regression
The token comes from GITHUB_TOKEN; docs/github.md has the workflows and their permissions.";

pub(super) const SWEEP_EXAMPLES: &str = "\
Examples:
  perfgate sweep --url http://127.0.0.1:8000
  perfgate sweep --axis rate --from 2 --to 20 --steps 10 --spacing linear --svg curve.svg";

pub(super) const HISTORY_EXAMPLES: &str = "\
Examples:
  perfgate history
  perfgate history tpot_p95 --baseline main
  perfgate history --check || echo 'main got slower, and nobody said why'
A step is accepted with `perfgate baseline accept --reason TEXT`.";

pub(super) const NOISE_EXAMPLES: &str = "\
Examples:
  perfgate noise
  perfgate noise monday.json tuesday.json wednesday.json
  perfgate noise --url http://127.0.0.1:8000 --pairs 12
  perfgate noise --suggest >> perfgate.yaml";

pub(super) const WATCH_EXAMPLES: &str = "\
Examples:
  perfgate watch
  perfgate watch out/candidate.json
  perfgate watch --once
A measurement keeps its figures in a small file beside the session file while it goes on; `--watch` of `run`, `gate`,
`capacity`, `sweep`, `noise` and `demo` shows the same where they run.";
