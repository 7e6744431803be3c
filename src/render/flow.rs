//! A run as a density: how many requests waited for their first token and how many streamed, moment by moment, so that
//! waves and stalls show. The SVG elements stand in `templates/report.html`.

use serde::Serialize;

use super::{
    chart::share,
    format::{self, SPACE},
    stairs::Stairs,
};
use crate::{
    report::{CellDetail, Flow, Moment},
    stats::real,
};

const LEFT: f64 = 40.0;
const RIGHT: f64 = 840.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 96.0;

/// One arm's run.
#[derive(Debug, Serialize)]
pub(super) struct FlowChart {
    arm: &'static str,
    sentence: String,
    most: String,
    seconds: String,
    /// Lowest first, each standing on the one below.
    areas: Vec<Area>,
}

/// What requests were doing.
#[derive(Debug, Serialize)]
struct Area {
    what: &'static str,
    class: &'static str,
    path: String,
}

/// The runs of one cell, drawn to one scale.
pub(super) fn flows(cell: &CellDetail) -> Vec<FlowChart> {
    let all = || cell.arms.iter().filter_map(|arm| Some((arm.arm, arm.flow.as_ref()?)));
    let most = all().map(|(_, flow)| flow.most()).fold(0.0, f64::max);
    let seconds = all().map(|(_, flow)| flow.seconds).fold(0.0, f64::max);
    all().map(|(arm, flow)| chart(arm, flow, most, seconds)).collect()
}

fn chart(arm: &'static str, flow: &Flow, most: f64, seconds: f64) -> FlowChart {
    let scale = Axes { flow, most, seconds };
    let none = |_: &Moment| 0.0;
    let stream = |moment: &Moment| moment.streaming;
    let wait = |moment: &Moment| moment.streaming + moment.waiting;
    let mut areas = vec![
        Area {
            what: "streaming",
            class: "streaming",
            path: scale.area(none, stream),
        },
        Area {
            what: "waiting for the first token",
            class: "waiting",
            path: scale.area(stream, wait),
        },
    ];
    if flow.moments.iter().any(|moment| moment.due > 0.005) {
        areas.push(Area {
            what: "due and not sent",
            class: "due",
            path: scale.area(wait, |moment| moment.all()),
        });
    }
    FlowChart {
        arm,
        sentence: sentence(arm, flow),
        most: if most < 10.0 {
            format!("{most:.1}")
        } else {
            format!("{most:.0}")
        },
        seconds: format!("{seconds:.1}{SPACE}s"),
        areas,
    }
}

struct Axes<'a> {
    flow: &'a Flow,
    most: f64,
    seconds: f64,
}

impl Axes<'_> {
    /// The area between two heights, forth along the upper and back along the lower.
    fn area(&self, low: impl Fn(&Moment) -> f64, high: impl Fn(&Moment) -> f64) -> String {
        let mut stairs = Stairs::from(LEFT, self.moments().next().map_or(BOTTOM, |moment| self.y(low(moment))));
        for (place, moment) in self.moments().enumerate() {
            stairs.y(self.y(high(moment)));
            stairs.x(self.x(place + 1));
        }
        for (place, moment) in self.moments().enumerate().rev() {
            stairs.y(self.y(low(moment)));
            stairs.x(self.x(place));
        }
        stairs.area()
    }

    fn moments(&self) -> std::slice::Iter<'_, Moment> {
        self.flow.moments.iter()
    }

    /// Where a moment begins.
    fn x(&self, place: usize) -> f64 {
        let width = share(self.flow.seconds, self.seconds, 0.0) * (RIGHT - LEFT);
        LEFT + share(real(place), real(self.flow.moments.len()), 0.0) * width
    }

    fn y(&self, height: f64) -> f64 {
        BOTTOM - share(height, self.most, 0.0) * (BOTTOM - TOP)
    }
}

fn sentence(arm: &str, flow: &Flow) -> String {
    let sum = |of: fn(&Moment) -> f64| flow.moments.iter().map(of).sum::<f64>();
    let (waiting, all) = (sum(|moment| moment.waiting), sum(|moment| moment.all()));
    let share = if all > 0.0 { waiting / all * 100.0 } else { 0.0 };
    let which = if flow.runs > 1 {
        format!("run {} of {}", flow.run, flow.runs)
    } else {
        "the run".to_owned()
    };
    format!(
        "{arm}, {which}: {:.1}{SPACE}s, up to {} at once, {share:.0}{SPACE}% of their time before the first token",
        flow.seconds,
        format::count(flow.most_at_once, "request")
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::stairs::corners, *};
    use crate::report::ArmDetail;

    fn flow(moments: Vec<Moment>, seconds: f64) -> Flow {
        Flow {
            run: 1,
            runs: 2,
            seconds,
            most_at_once: 4,
            moments,
        }
    }

    fn cell(flows: Vec<Flow>) -> CellDetail {
        let arm = |flow| ArmDetail {
            arm: "candidate",
            spreads: Vec::new(),
            flow: Some(flow),
        };
        CellDetail {
            name: "c".into(),
            arms: flows.into_iter().map(arm).collect(),
        }
    }

    proptest! {
        #[test]
        fn every_point_is_inside_its_view_box(
            heights in prop::collection::vec((0.0..50.0_f64, 0.0..50.0_f64, 0.0..5.0_f64), 1..120), seconds in 0.0..1e4_f64,
        ) {
            let moments = heights.iter().map(|(due, waiting, streaming)| Moment {
                due: *due, waiting: *waiting, streaming: *streaming,
            });
            let charts = flows(&cell(vec![flow(moments.collect(), seconds), flow(vec![Moment::default()], 1.0)]));
            for area in charts.iter().flat_map(|chart| &chart.areas) {
                for (x, y) in corners(&area.path) {
                    prop_assert!((LEFT..=RIGHT).contains(&x) && (TOP..=BOTTOM).contains(&y), "{x} {y}");
                }
            }
        }
    }

    #[test]
    fn a_run_says_how_long_requests_waited() {
        let moments = vec![
            Moment {
                due: 0.0,
                waiting: 1.0,
                streaming: 3.0
            };
            4
        ];
        let found = flows(&cell(vec![flow(moments, 2.0)]));
        assert_eq!(found[0].areas.len(), 2, "nothing was late");
        let said = found[0].sentence.replace(SPACE, " ");
        assert_eq!(
            said,
            "candidate, run 1 of 2: 2.0 s, up to 4 requests at once, 25 % of their time before the first token"
        );
    }
}
