use super::{apart::Apart, in_pairs::InPairs, *};
use crate::{
    compare::{PairNoise, compare},
    measure::{Measurements, measure, synthetic::scaled},
    stats::draws::Draws,
    verdict::{Verdict, judge},
};

/// Two modes: sessions that would be blocked against each other now and then.
fn rough() -> Material {
    let session = |start: u64, runs: &[f64]| Measurements {
        started_unix_s: start,
        ..measure(&scaled(runs, |figures, run| figures.tpot_ms *= run))
    };
    let all = vec![
        session(0, &[1.0, 1.2, 1.0, 1.2, 1.1, 1.0]),
        session(1, &[1.5, 1.0, 1.6, 1.0, 1.5, 1.1]),
        session(2, &[1.0, 1.01, 1.0, 1.02, 1.0, 1.01]),
        session(3, &[3.0, 3.01, 3.0, 3.02, 3.0, 3.01]),
    ];
    Material::of(all, PairNoise::default())
}

#[test]
fn what_is_not_judged_could_not_have_been_blocked() {
    let (material, policy) = (rough(), only_limits(&Policy::default()));
    let looks = Looks {
        pairs: vec![3, 5],
        blocks: 1,
    };
    let in_pairs = InPairs::of(&material, &policy, &looks).unwrap();
    let mut draws = Draws::new(1);
    let mut screened = 0;
    for _ in 0..300 {
        let places = in_pairs.draw(&mut draws).unwrap();
        let beyond = in_pairs.looks_beyond(&places);
        for look in looks.pairs.iter().filter(|look| !beyond.contains(look)) {
            screened += 1;
            let [baseline, candidate] = in_pairs.arms(&places, *look);
            let verdict = judge(&compare(&baseline, &candidate, &in_pairs.background), &policy).verdict;
            assert_ne!(verdict, Verdict::Regression, "{places:?}");
        }
    }
    assert!((100..580).contains(&screened), "{screened}");
    let apart = Apart::of(&material, &policy).unwrap();
    for (place, session) in apart.sessions.iter().enumerate() {
        let (baseline, background) = &apart.backgrounds[place];
        let comparison = compare(&apart.sessions[*baseline], session, background);
        let is_blocked = judge(&comparison, &policy).verdict == Verdict::Regression;
        assert!(!is_blocked || apart.could_block(place, session), "{place}");
    }
    assert!(!apart.could_block(2, &apart.sessions[2]), "nothing is below the lowest");
}
