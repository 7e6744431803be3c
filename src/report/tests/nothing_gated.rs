//! A gate of nothing but failed requests.

use std::collections::BTreeMap;

use super::*;
use crate::measure::synthetic::{Figures, session};

#[test]
fn that_nothing_failed_more_is_no_verdict_where_nothing_else_is_gated() {
    let policy = Policy {
        gates: BTreeMap::new(),
        ..Policy::default()
    };
    let (old, new) = (
        session(&[1], &[Figures::default(); 5]),
        session(&[1], &[Figures::default(); 5]),
    );
    let found = build(Some(&Reference::alone("main", &old)), ("pr", &new), &policy);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    let says = "inconclusive: only failed requests were judged, which says nothing of how fast it was";
    assert_eq!(found.headline, says);
    assert!(
        found.next_steps[0].starts_with("gate a metric: "),
        "{:?}",
        found.next_steps
    );
}
