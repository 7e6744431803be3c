//! `OpenMetrics` text, which Prometheus reads too: base units, one gauge for each family, `# EOF` at the end.
//!
//! Names come from the metrics' own keys and units, so that a new metric needs nothing here.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{action, definitions, rows};
use crate::{
    metric::{Better, Metric, meaning},
    render::{RenderError, escape::visible},
    report::{Arm, Check, Report},
};

/// The figures of arms and, of a report, its checks.
///
/// # Errors
/// A number that is not finite.
pub fn open_metrics(arms: &[(&str, &Arm)], report: Option<&Report>) -> Result<String, RenderError> {
    let mut families = Families::default();
    let ids: BTreeSet<&str> = arms.iter().map(|(_, arm)| definitions(arm)).collect();
    for (arm_name, arm) in arms {
        session_info(&mut families, arm_name, arm);
        for row in rows(arm)? {
            let name = Name::of(row.metric);
            let labels = [("arm", (*arm_name).to_owned()), ("cell", row.cell.clone())];
            let labels: Vec<_> = labels.into_iter().chain(name.percentile()).collect();
            let help = format!("{} ({})", means(&ids, row.metric), better(row.metric));
            families.put(
                &name.of_runs("", "median over the runs: ", &help),
                &labels,
                name.base(row.median),
            );
            for (run, value) in (1..).zip(row.values) {
                let Some(value) = value else { continue };
                let labels: Vec<_> = labels.iter().cloned().chain([("run", run.to_string())]).collect();
                families.put(&name.of_runs("run_", "one run: ", &help), &labels, name.base(*value));
            }
        }
    }
    if let Some(report) = report {
        gate(&mut families, report);
    }
    Ok(families.text())
}

/// A family has one line of help, and arms of different definitions have none in common.
fn means(ids: &BTreeSet<&str>, metric: Metric) -> Cow<'static, str> {
    match ids.first() {
        Some(id) if ids.len() == 1 => meaning(id, metric),
        _ => format!(
            "{}, as `definitions` of perfgate_session_info says for each arm",
            metric.label()
        )
        .into(),
    }
}

fn better(metric: Metric) -> &'static str {
    match metric.better() {
        Better::Lower => "lower is better",
        Better::Higher => "higher is better",
    }
}

/// One family of samples.
struct Family {
    name: String,
    unit: &'static str,
    help: String,
}

/// What an arm is, by its name.
fn session_info(families: &mut Families, arm_name: &str, arm: &Arm) {
    let fact = |what: &str| {
        arm.facts
            .iter()
            .find(|(name, _)| name == what)
            .map(|(_, value)| value.clone())
    };
    let told = [
        ("commit", arm.commit.clone()),
        ("definitions", Some(definitions(arm).to_owned())),
        ("engine", fact("Engine")),
        ("fingerprint", Some(arm.fingerprint.clone())),
        ("model", fact("Model")),
    ];
    let told = told.into_iter().filter_map(|(label, value)| Some((label, value?)));
    let labels: Vec<_> = [("arm", arm_name.to_owned())].into_iter().chain(told).collect();
    let info = plain("perfgate_session_info", "", "what was measured; always 1");
    families.put(&info, &labels, 1.0);
}

fn plain(name: &str, unit: &'static str, help: &str) -> Family {
    Family {
        name: name.to_owned(),
        unit,
        help: help.to_owned(),
    }
}

/// The answer of the gate, and of each of its checks.
fn gate(families: &mut Families, report: &Report) {
    let verdict = plain("perfgate_gate_verdict", "", "the gate's answer; always 1");
    families.put(&verdict, &[("verdict", report.verdict.name().to_owned())], 1.0);
    let exit = plain("perfgate_gate_exit_code", "", "exit code of the gate: 0 lets pass");
    families.put(&exit, &[], f64::from(report.exit_code));
    let checked = plain("perfgate_check_verdict", "", "the answer of one check; always 1");
    let change = plain(
        "perfgate_check_change_ratio",
        "ratio",
        "candidate / baseline - 1 of one check",
    );
    for check in &report.checks {
        let labels = labels_of(check);
        let own = [
            ("action", action(check.action).to_owned()),
            ("verdict", check.verdict.name().to_owned()),
        ];
        let own: Vec<_> = labels.iter().cloned().chain(own).collect();
        families.put(&checked, &own, 1.0);
        if let Some(value) = check.change.filter(|value| value.is_finite()) {
            families.put(&change, &labels, value);
        }
    }
}

fn labels_of(check: &Check) -> Vec<(&'static str, String)> {
    vec![("cell", check.cell.clone()), ("metric", check.metric.key().to_owned())]
}

/// All samples of a family stand together, whichever arm or cell they are of.
#[derive(Default)]
struct Families {
    order: Vec<String>,
    text: BTreeMap<String, String>,
}

impl Families {
    fn put(&mut self, family: &Family, labels: &[(&str, String)], value: f64) {
        let Family { name, unit, help } = family;
        if !self.text.contains_key(name) {
            let mut head = format!("# TYPE {name} gauge\n");
            if !unit.is_empty() {
                let _ = writeln!(head, "# UNIT {name} {unit}");
            }
            let _ = writeln!(head, "# HELP {name} {}", escaped(help));
            self.order.push(name.clone());
            self.text.insert(name.clone(), head);
        }
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        if let Some(text) = self.text.get_mut(name) {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }

    fn text(self) -> String {
        let families = self.order.iter().filter_map(|name| self.text.get(name));
        families.map(String::as_str).chain(["# EOF\n"]).collect()
    }
}

/// What stands between the quotes of a label, or after `# HELP`.
fn escaped(text: &str) -> String {
    visible(text).replace('\\', "\\\\").replace('"', "\\\"")
}

/// A metric under the name that Prometheus' own rules ask for: base units, written out.
struct Name {
    metric: Metric,
    stem: String,
    unit: &'static str,
    factor: f64,
    divisor: f64,
}

impl Name {
    fn of(metric: Metric) -> Self {
        let key = metric.key();
        let key = metric
            .percentile()
            .and_then(|percentile| key.strip_suffix(&format!("_p{}", percentile.percent())))
            .unwrap_or(key);
        let cut = |end: &str| key.strip_suffix(end).unwrap_or(key);
        let (stem, unit, factor, divisor) = match metric.unit() {
            "ms" => (key.to_owned(), "seconds", 1.0, 1e3),
            "GB" => (cut("_gb").to_owned(), "bytes", 1e9, 1.0),
            "%" => (cut("_pct").to_owned(), "ratio", 1.0, 1e2),
            "fraction" => (cut("_rate").to_owned(), "ratio", 1.0, 1.0),
            "s" => (cut("_s").to_owned(), "seconds", 1.0, 1.0),
            "W" => (cut("_w").to_owned(), "watts", 1.0, 1.0),
            "J" => (cut("_j").to_owned(), "joules", 1.0, 1.0),
            "req/s" if key == "qps" => ("completed".to_owned(), "requests_per_second", 1.0, 1.0),
            "req/s" => (cut("_rps").to_owned(), "requests_per_second", 1.0, 1.0),
            "tokens/s" => (cut("_tokens_per_s").to_owned(), "tokens_per_second", 1.0, 1.0),
            "inputs/s" => (
                cut("inputs_per_s").to_owned() + "embedded",
                "inputs_per_second",
                1.0,
                1.0,
            ),
            "requests" => (key.to_owned(), "requests", 1.0, 1.0),
            _ => (key.to_owned(), "", 1.0, 1.0),
        };
        Self {
            metric,
            stem,
            unit,
            factor,
            divisor,
        }
    }

    fn of_runs(&self, of: &str, begin: &str, help: &str) -> Family {
        let unit = if self.unit.is_empty() {
            String::new()
        } else {
            format!("_{}", self.unit)
        };
        Family {
            name: format!("perfgate_{of}{}{unit}", self.stem),
            unit: self.unit,
            help: format!("{begin}{help}"),
        }
    }

    fn base(&self, value: f64) -> f64 {
        value * self.factor / self.divisor
    }

    /// `quantile` is the label of summaries alone.
    fn percentile(&self) -> Option<(&'static str, String)> {
        let percentile = self.metric.percentile()?;
        Some(("percentile", percentile.percent().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_in_base_units_of_its_own() {
        let mut seen = BTreeSet::new();
        for metric in Metric::ALL {
            let name = Name::of(metric);
            let family = name.of_runs("", "", "");
            let words: Vec<&str> = family.name.split('_').collect();
            for short in ["s", "ms", "gb", "pct", "rps", "w", "j", "qps"] {
                assert!(!words.contains(&short), "{}", family.name);
            }
            assert!(family.name.ends_with(family.unit), "{}", family.name);
            assert!(
                seen.insert((family.name.clone(), name.percentile())),
                "{} is of two metrics",
                family.name
            );
        }
        assert!(seen.contains(&(
            "perfgate_ttft_seconds".to_owned(),
            Some(("percentile", "95".to_owned()))
        )));
    }

    #[test]
    fn values_are_in_base_units() {
        use crate::metric::Percentile::P95;
        for (metric, value, expected) in [
            (Metric::Ttft(P95), 141.3, 0.1413),
            (Metric::GpuMemoryPeakGb, 61.2, 61.2e9),
            (Metric::GpuUtilizationPct, 93.0, 0.93),
            (Metric::Qps, 12.5, 12.5),
        ] {
            assert_eq!(Name::of(metric).base(value).to_string(), f64::to_string(&expected));
        }
    }

    #[test]
    fn names_from_outside_stay_in_their_label() {
        assert_eq!(escaped("a\"} 1\nb\\"), "a\\\"} 1 b\\\\");
    }
}
