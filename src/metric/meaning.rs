//! What one metric means in a session, by the definitions that its figures were made by.

use std::borrow::Cow;

use super::{DEFINITIONS_ID, Metric, definitions};

/// What a metric means in a session of these definitions: perfgate's own words, or those for another tool's figure.
pub fn meaning(id: &str, metric: Metric) -> Cow<'static, str> {
    if id == DEFINITIONS_ID {
        return metric.definition().into();
    }
    let Some(known) = definitions(id) else {
        return format!("as `{id}` means it").into();
    };
    let told = match metric {
        Metric::Ttft(_) | Metric::TtftFromSchedule(_) => format!("until {}", known.ttft),
        Metric::Tpot(_) => known.tpot.to_owned(),
        Metric::Itl(_) => known.itl.to_owned(),
        Metric::E2e(_) | Metric::E2eFromSchedule(_) => format!("ends {}", known.e2e),
        Metric::Qps => format!("completed requests over {}", known.window),
        Metric::OutputTokensPerS => format!("output tokens, as counted by {}, over {}", known.tokens, known.window),
        other => return other.definition().into(),
    };
    format!("as {} has it: {told}", known.tool).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Percentile::P95;

    #[test]
    fn a_metric_of_another_tool_has_that_tools_meaning() {
        let ttft = Metric::Ttft(P95);
        assert_eq!(meaning("perfgate/1", ttft), ttft.definition());
        assert_eq!(
            meaning("vllm-serve/1", ttft),
            "as vllm bench serve has it: until the first chunk with a choice, even an empty one"
        );
        assert_eq!(
            meaning("perf-analyzer/1", Metric::OutputTokensPerS),
            "as perf_analyzer has it: output tokens, as counted by nobody, over first send to last end"
        );
        assert_eq!(
            meaning("vllm-serve/1", Metric::ErrorRate),
            Metric::ErrorRate.definition()
        );
        assert_eq!(meaning("else/7", ttft), "as `else/7` means it");
    }
}
