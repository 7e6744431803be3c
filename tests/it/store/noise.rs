use std::fs;

use perfgate::{
    compare::{PairNoise, PairVariance},
    metric::{Metric, Percentile},
    store::{Baselines, MAX_NOISE, StoreError},
};

fn variance(id: &str, metric: Metric, variance: f64) -> PairVariance {
    PairVariance {
        id: id.into(),
        measured_unix_s: 1_790_000_000,
        cell: "chat @ c=4".into(),
        metric,
        blocks: 20,
        variance,
        df: 4,
    }
}

#[test]
fn the_noise_of_pairs_comes_back_and_stands_beside_the_baselines_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path().join("baselines")).unwrap();
    assert_eq!(store.pair_noise("aaaa", "eeee").unwrap(), PairNoise::default());
    assert!(!dir.path().join("baselines").exists(), "reading makes nothing");

    let first = [
        variance("one", Metric::OutputTokensPerS, 0.1 + 0.2),
        variance("one", Metric::Tpot(Percentile::P95), 0.0),
    ];
    let path = store.add_pair_noise("aaaa", "eeee", &first).unwrap();
    assert_eq!(path, dir.path().join("baselines/noise-aaaa-eeee.json"));
    let second = variance("two", Metric::OutputTokensPerS, 1e-4);
    store
        .add_pair_noise("aaaa", "eeee", std::slice::from_ref(&second))
        .unwrap();
    let [a, b] = first;
    assert_eq!(store.pair_noise("aaaa", "eeee").unwrap().0, [a, b, second]);
    assert_eq!(store.pair_noise("aaaa", "ffff").unwrap().0, []);
    assert!(store.list().unwrap().is_empty());
    assert!(matches!(store.get("noise"), Err(StoreError::Unknown { .. })));
}

#[test]
fn a_measurement_counts_once_and_the_oldest_make_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    for id in 0..=MAX_NOISE {
        let one = variance(&id.to_string(), Metric::Qps, 1e-4);
        store.add_pair_noise("aaaa", "eeee", &[one]).unwrap();
    }
    let again = variance("7", Metric::Qps, 9e-4);
    store.add_pair_noise("aaaa", "eeee", &[again]).unwrap();
    let kept = store.pair_noise("aaaa", "eeee").unwrap().0;
    let ids: Vec<&str> = kept.iter().map(|one| one.id.as_str()).collect();
    assert_eq!((ids.len(), ids[0], ids[MAX_NOISE - 1]), (MAX_NOISE, "1", "7"));
    assert!(kept[MAX_NOISE - 1].variance > 8e-4, "{kept:?}");
}

#[test]
fn a_figure_that_no_prior_can_use_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    let mut alone = variance("one", Metric::Qps, 1e-4);
    alone.df = 0;
    let nothing = variance("one", Metric::Qps, f64::NAN);
    let below = variance("one", Metric::Qps, -1.0);
    let good = variance("one", Metric::Qps, 2e-4);
    let all = [alone, nothing, below, good.clone()];
    store.add_pair_noise("aaaa", "eeee", &all).unwrap();
    assert_eq!(store.pair_noise("aaaa", "eeee").unwrap().0, [good]);
}

#[test]
fn noise_that_cannot_be_read_is_an_error_and_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let store = Baselines::open(dir.path()).unwrap();
    let one = variance("one", Metric::Qps, 1e-4);
    let path = store
        .add_pair_noise("aaaa", "eeee", std::slice::from_ref(&one))
        .unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to, expected) in [
        ("noise/2", "noise/3", "written by a newer perfgate"),
        ("noise/2", "noise/1", "`schema`: is of a form without a seal"),
        ("noise/2", "noise/x", "this perfgate reads `perfgate-llm/noise/2`"),
        ("\"qps\"", "\"speed\"", "`seal`: does not fit: a figure was changed"),
        ("0.0001", "0.0000001", "`seal`: does not fit: a figure was changed"),
        ("\"df\":4", "\"df\":11", "`seal`: does not fit: a figure was changed"),
        ("\"id\"", "\"name\"", "`measurements[0].name`: unknown field"),
    ] {
        assert!(whole.contains(from), "{from}: {whole}");
        let edited = whole.replacen(from, to, 1);
        fs::write(&path, &edited).unwrap();
        let error = store.pair_noise("aaaa", "eeee").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\n  lacks {expected}");
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let two = variance("two", Metric::Qps, 1e-4);
    assert!(store.add_pair_noise("aaaa", "eeee", &[two]).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), whole[..whole.len() / 2]);
    assert!(store.pair_noise("../x", "eeee").is_err());
}
