//! An `MLPerf` scenario: what it sets, and the keys that would weaken it.
//!
//! A key that contradicts the scenario is refused where it stands in the same layer or a higher one; what a lower layer says is
//! put aside, and a note tells so.

use super::{Resolver, load::LOADS};
use crate::{
    config::{
        error::ConfigError,
        layers::Layer,
        node::Source,
        policy::Rules,
        show,
        twin::{ArrivalsTwin, SloTwin},
        values::Whole,
    },
    metric::{Metric, Percentile},
    plan::{Arrivals, BENCHMARKS, Benchmark, Load, Plan, Scenario, ScenarioKind},
};

/// As many requests as `num_requests` takes.
const MOST_REQUESTS: f64 = 10_000_000.0;

/// Poisson arrivals of so many requests more than the rate gives in the least duration last as long, all but 3 times in 100,000.
const SPARE_DEVIATIONS: f64 = 4.0;

/// How long a shortened run lasts at least where nobody says.
const SHORTEST: std::time::Duration = std::time::Duration::from_millis(1);

/// Keys that say when requests are sent, beside `rate`, which Server and Interactive need.
const TIMES: [&str; 6] = ["concurrency", "ramp", "stages", "trace", "conversation", "burstiness"];

impl Resolver {
    /// Puts what a scenario asks for in the place of load, counts, limits and rules, if there is one.
    pub(super) fn apply_scenario(&mut self, plan: &mut Plan, rules: &mut Rules) -> Result<(), ConfigError> {
        let Some(scenario) = self.scenario()? else {
            return Ok(());
        };
        self.check_times(scenario.kind)?;
        plan.loads = self.scenario_loads(&scenario)?;
        plan.requests_per_run = self.scenario_requests(&scenario, &plan.loads)?;
        if scenario.kind == ScenarioKind::Offline {
            plan.loads = vec![Load::Concurrency(plan.requests_per_run)];
        }
        self.tell_load(&plan.loads);
        self.limits(&scenario, rules)?;
        plan.slo = scenario.limits;
        plan.scenario = Some(scenario);
        Ok(())
    }

    fn scenario(&mut self) -> Result<Option<Scenario>, ConfigError> {
        let Some(kind) = self.given(
            "scenario",
            |twin| twin.scenario.map(|twin| twin.0),
            |kind| kind.name().into(),
        ) else {
            // A file may well hold what only a call with a scenario uses.
            let typed = ["benchmark", "test_minimum"].into_iter().find(|key| self.is_typed(key));
            let message = "it is of an MLPerf scenario; give `--scenario`, such as `mlperf-server`, or remove it";
            let layer = self.layers.iter().rev();
            let refused = typed.and_then(|key| Some(layer.clone().find(|layer| layer.names(key))?.error(key, message)));
            return refused.map_or(Ok(None), Err);
        };
        let benchmark = self.given(
            "benchmark",
            |twin| twin.benchmark.map(|twin| twin.0),
            |benchmark| benchmark.name.to_owned(),
        );
        let names = |has: &dyn Fn(&Benchmark) -> bool| {
            let names = BENCHMARKS.iter().filter(|benchmark| has(benchmark));
            names
                .map(|benchmark| format!("`{}`", benchmark.name))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let Some(benchmark) = benchmark else {
            let all = names(&|benchmark| benchmark.limits(kind).is_some());
            let message = format!(
                "`{}` has the limits of a benchmark; give `benchmark`: {all}",
                kind.name()
            );
            return Err(self.refuse("scenario", &message));
        };
        let Some(mut scenario) = Scenario::of(kind, benchmark) else {
            let others = names(&|benchmark| benchmark.limits(kind).is_some());
            let message = format!(
                "`{}` has no `{}`; those that have are {others}",
                benchmark.name,
                kind.name()
            );
            return Err(self.refuse("benchmark", &message));
        };
        let cut = self.given(
            "test_minimum",
            |twin| twin.test_minimum,
            |cut| format!("{} requests", cut.requests.as_u32()),
        );
        if let Some(cut) = cut {
            scenario.min_requests = cut.requests.as_u32();
            scenario.min_duration = cut.duration.map_or(SHORTEST, |span| span.0);
            scenario.is_shortened = true;
        }
        Ok(Some(scenario))
    }

    /// Where the scenario stands among the layers.
    fn place_of_scenario(&self) -> usize {
        self.layers
            .iter()
            .rposition(|layer| layer.names("scenario"))
            .unwrap_or(0)
    }

    /// Refuses a key beside the scenario or above it; below it, notes that it is put aside.
    fn rule_out(&mut self, key: &str, why: &str) -> Result<(), ConfigError> {
        let scenario = self.place_of_scenario();
        let Some(at) = self.layers.iter().rposition(|layer| layer.names(key)) else {
            return Ok(());
        };
        let Some(layer) = self.layers.get(at) else {
            return Ok(());
        };
        if at >= scenario {
            return Err(layer.error(key, &self.against(why, "scenario")));
        }
        let (place, other) = (
            layer.place(key),
            self.layers.get(scenario).map(|layer| layer.place("scenario")),
        );
        self.notes.push(format!(
            "`{key}` ({place}) is put aside: {why}, by `scenario` ({})",
            other.unwrap_or_default()
        ));
        Ok(())
    }

    fn check_times(&mut self, kind: ScenarioKind) -> Result<(), ConfigError> {
        let why = match kind {
            ScenarioKind::Server | ScenarioKind::Interactive => "requests are sent at Poisson times of a `rate`",
            ScenarioKind::Offline => "all requests are sent at once",
            ScenarioKind::SingleStream => "one request is sent at a time",
        };
        for key in TIMES {
            self.rule_out(key, why)?;
        }
        let is_poisson = |layer: &&Layer| layer.twin.arrivals == Some(ArrivalsTwin::Poisson);
        let highest = self.layers.iter().rev().find(|layer| layer.twin.arrivals.is_some());
        if !kind.is_open() {
            self.rule_out("rate", why)?;
            self.rule_out("arrivals", why)?;
        } else if highest.is_some_and(|layer| !is_poisson(&layer)) {
            self.rule_out("arrivals", why)?;
        }
        Ok(())
    }

    fn scenario_loads(&self, scenario: &Scenario) -> Result<Vec<Load>, ConfigError> {
        if !scenario.kind.is_open() {
            return Ok(vec![Load::Concurrency(1)]);
        }
        let Some(layer) = self.layers.iter().rev().find(|layer| layer.twin.rate.is_some()) else {
            let message = format!(
                "`{}` sends at Poisson times; give its target as `rate`, in requests per second",
                scenario.kind.name()
            );
            return Err(self.refuse("scenario", &message));
        };
        let load = |rate_rps: f64| Load::Rate {
            rate_rps,
            arrivals: Arrivals::Poisson,
        };
        Ok(layer.rates().map(|rate| load(rate.0)).collect())
    }

    /// As many as the rules want, in whole passes over the data set, and more where somebody asks for more.
    fn scenario_requests(&mut self, scenario: &Scenario, loads: &[Load]) -> Result<u32, ConfigError> {
        let rates = loads.iter().filter_map(|load| match load {
            Load::Rate { rate_rps, .. } => Some(*rate_rps),
            _ => None,
        });
        let due = rates.fold(0.0, f64::max) * scenario.min_duration.as_secs_f64();
        let due = due + SPARE_DEVIATIONS * due.sqrt();
        // `LoadGen` sends every sample equally often.
        let pass = if scenario.is_shortened {
            1
        } else {
            scenario.min_requests
        };
        let wanted = f64::from(scenario.min_requests).max(due);
        let wanted = (wanted / f64::from(pass)).ceil() * f64::from(pass);
        if wanted > MOST_REQUESTS {
            let message = format!("that would be {wanted:.0} requests in one run; lower `rate`");
            return Err(self.refuse("scenario", &message));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and ten million"
        )]
        let wanted = wanted as u32;
        let given = self.find("num_requests", |twin| twin.num_requests.map(Whole::as_u32));
        let (requests, source) = match given {
            Some((requests, source)) if requests >= scenario.min_requests && requests % pass == 0 => (requests, source),
            Some(_) => {
                let pass = if pass > 1 {
                    format!("whole passes over {pass} samples, ")
                } else {
                    String::new()
                };
                let why = format!("a run sends {pass}at least {} requests", scenario.min_requests);
                self.rule_out("num_requests", &why)?;
                (wanted, self.source_of_scenario())
            }
            None => (wanted, self.source_of_scenario()),
        };
        self.renote("num_requests", requests.to_string(), source);
        Ok(requests)
    }

    fn source_of_scenario(&self) -> Source {
        self.find("scenario", |twin| twin.scenario)
            .map_or(Source::Default, |(_, source)| source)
    }

    /// Shows the load that the scenario asks for in place of the one that the keys alone would give.
    fn tell_load(&mut self, loads: &[Load]) {
        let source = self.source_of_scenario();
        let is_load = |key: &str| LOADS.contains(&key) || key == "arrivals" || key == "burstiness";
        let rate = self
            .origins
            .iter()
            .find(|origin| origin.key == "rate")
            .map(|origin| origin.source);
        self.origins.retain(|origin| !is_load(&origin.key));
        let streams = loads.iter().filter_map(|load| match load {
            Load::Concurrency(streams) => Some(*streams),
            _ => None,
        });
        let streams: Vec<u32> = streams.collect();
        if streams.is_empty() {
            let rates: Vec<String> = loads.iter().map(Load::to_string).collect();
            self.note("rate", show::list(&rates), rate.unwrap_or(source));
            self.note("arrivals", Arrivals::Poisson.name().to_owned(), source);
        } else {
            self.note("concurrency", show::list(&streams), source);
        }
    }

    /// The limits as SLO and as ceilings; Offline and single-stream have none, and Offline no gate on a latency either.
    fn limits(&mut self, scenario: &Scenario, rules: &mut Rules) -> Result<(), ConfigError> {
        let own = self.find("slo", |twin| twin.slo.map(SloTwin::slo));
        if own.is_some_and(|(slo, _)| slo != scenario.limits) {
            let limits = match show::slo(&scenario.limits) {
                limits if limits.is_empty() => "none".to_owned(),
                limits => limits,
            };
            let why = format!("the limits are those of `{}`: {limits}", scenario.benchmark);
            self.rule_out("slo", &why)?;
        }
        let source = self.source_of_scenario();
        self.origins.retain(|origin| origin.key != "slo");
        if scenario.kind == ScenarioKind::Offline {
            rules.without_built_in(|metric| metric.percentile().is_some());
        }
        if scenario.limits.is_empty() {
            return Ok(());
        }
        self.note("slo", show::slo(&scenario.limits), source);
        let limits = [
            (Metric::TtftFromSchedule(Percentile::P99), scenario.limits.ttft_ms),
            (Metric::Tpot(Percentile::P99), scenario.limits.tpot_ms),
            (Metric::E2eFromSchedule(Percentile::P99), scenario.limits.e2e_ms),
        ];
        for (metric, limit) in limits.into_iter().filter_map(|(metric, limit)| Some((metric, limit?))) {
            if rules.weakens(metric, limit) {
                let why = format!("`{}` keeps {limit} ms", scenario.benchmark);
                self.rule_out(&format!("ceilings.{metric}"), &why)?;
            }
            rules.bound(metric, limit, source);
        }
        Ok(())
    }

    fn renote(&mut self, key: &str, value: String, source: Source) {
        self.origins.retain(|origin| origin.key != key);
        self.note(key, value, source);
    }
}
