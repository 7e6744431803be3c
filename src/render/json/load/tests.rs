//! What each load level looks like in JSON.

use super::*;

fn assert_printed(load: &Load, printed: &str) {
    let text = serde_json::to_string(&LoadTwin::from(load.clone())).unwrap();
    assert_eq!(text, printed);
    let back: LoadTwin = serde_json::from_str(&text).unwrap();
    assert_eq!(Load::from(back), *load, "read as it was printed");
}

fn rate(arrivals: Arrivals) -> Load {
    Load::Rate {
        rate_rps: 8.0,
        arrivals,
    }
}

#[test]
fn steady_levels_look_like_this() {
    assert_printed(&Load::Concurrency(16), r#"{"concurrency":16}"#);
    assert_printed(&rate(Arrivals::Poisson), r#"{"rate_rps":8.0,"arrivals":"poisson"}"#);
    assert_printed(&rate(Arrivals::Constant), r#"{"rate_rps":8.0,"arrivals":"constant"}"#);
    assert_printed(
        &rate(Arrivals::Gamma { burstiness: 0.5 }),
        r#"{"rate_rps":8.0,"arrivals":{"gamma":{"burstiness":0.5}}}"#,
    );
    assert_printed(&Load::Trace { speed_ratio: 2.0 }, r#"{"speed_ratio":2.0}"#);
}

#[test]
fn levels_that_change_look_like_this() {
    for (shape, name) in [(RampShape::Linear, "linear"), (RampShape::Exponential, "exponential")] {
        let ramp = Load::Ramp {
            from_rps: 1.0,
            to_rps: 8.0,
            shape,
            arrivals: Arrivals::Constant,
        };
        let printed = format!(r#"{{"from_rps":1.0,"to_rps":8.0,"shape":"{name}","arrivals":"constant"}}"#);
        assert_printed(&ramp, &printed);
    }
    let stages = vec![
        Stage {
            level: StageLevel::Rate(4.0),
            length: StageLength::Duration(Duration::from_millis(1500)),
        },
        Stage {
            level: StageLevel::Concurrency(8),
            length: StageLength::Requests(100),
        },
    ];
    let arrivals = Arrivals::Poisson;
    let first = r#"{"level":{"rate_rps":4.0},"length":{"duration_ns":1500000000}}"#;
    let second = r#"{"level":{"concurrency":8},"length":{"requests":100}}"#;
    let printed = format!(r#"{{"stages":[{first},{second}],"arrivals":"poisson"}}"#);
    assert_printed(&Load::Stages { stages, arrivals }, &printed);
}

#[test]
fn a_search_looks_like_this() {
    for (axis, name) in [
        (Axis::Rate(Arrivals::Poisson), r#"{"rate":"poisson"}"#),
        (Axis::Concurrency, r#""concurrency""#),
    ] {
        let search = Load::Capacity(Capacity {
            axis,
            min: 1.0,
            max: 64.0,
            precision_ratio: 1.05,
            attainment: 0.99,
            batch_s: None,
        });
        let rest = r#""min":1.0,"max":64.0,"precision_ratio":1.05,"attainment":0.99"#;
        assert_printed(&search, &format!(r#"{{"axis":{name},{rest}}}"#));
    }
}

#[test]
fn a_level_of_two_kinds_is_refused() {
    let both = r#"{"concurrency":1,"rate_rps":2.0}"#;
    assert!(serde_json::from_str::<LoadTwin>(both).is_err());
}
