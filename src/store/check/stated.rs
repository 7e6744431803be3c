//! What holds of figures that another tool stated.

use super::{Checked, MAX_EXACT, ensure, is_zero_or_more};
use crate::session::Stated;

pub(super) fn stated(stated: &Stated) -> Checked {
    let told: u64 = stated.failures.iter().map(|(count, _)| u64::from(*count)).sum();
    let failed = stated.failed.unwrap_or(0);
    ensure(told <= u64::from(failed), "failures", || {
        format!("tell of {told} requests, but `failed` is `{failed}`")
    })?;
    for (key, tokens) in [
        ("input_tokens", stated.input_tokens),
        ("output_tokens", stated.output_tokens),
    ] {
        let tokens = tokens.unwrap_or(0);
        ensure(tokens <= MAX_EXACT, key, || format!("is `{tokens}`, beyond 2^53"))?;
    }
    for (metric, figure) in &stated.figures {
        let key = format!("figures.{metric}");
        let value = figure.value;
        ensure(is_zero_or_more(value), &key, || {
            format!("is `{value}`; give a number, zero or more")
        })?;
        ensure(figure.samples <= MAX_EXACT, &key, || {
            format!("comes from `{}` samples, beyond 2^53", figure.samples)
        })?;
    }
    Ok(())
}
