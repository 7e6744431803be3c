//! Whether the arm that was not measured was seen to rest: where nobody could look, a reader should know.

use crate::session::{HostUse, Pairing, Run, Session};

/// What is told of the two arms of one measurement where a server was up beside the other's and nobody could see that it
/// rested; of a stored arm the other server is not the one that it is compared with.
pub(super) fn unseen(baseline: &Session, candidate: &Session) -> Option<String> {
    if !Pairing::is_pair(baseline.pairing.as_ref(), candidate.pairing.as_ref()) {
        return None;
    }
    // A run knows of the other arm's server.
    let looks = [looks(candidate), looks(baseline)];
    let some = looks.iter().find(|(unseen, all)| unseen < all && *unseen > 0);
    let times = some.map_or_else(String::new, |(unseen, all)| format!(" in {unseen} of {all} runs"));
    unseen_rest(looks.map(|(unseen, _)| unseen > 0), &times)
}

/// In how many runs nobody could look, of those beside which the other server was up.
fn looks(session: &Session) -> (usize, usize) {
    let runs = session.cells.iter().flat_map(|cell| &cell.runs);
    let beside: Vec<&HostUse> = runs.filter(|run| is_beside(run)).map(|run| &run.host).collect();
    let unseen = |host: &&&HostUse| host.resting_arm_cpu_s.is_none() && host.resting_arm_requests.is_none();
    (beside.iter().filter(unseen).count(), beside.len())
}

/// Blocks are only measured where both servers are up.
fn is_beside(run: &Run) -> bool {
    run.host.other_arm_up || !run.blocks.is_empty()
}

/// The sentence about the arms of which it is so, baseline first; `None` where it is so of neither.
pub fn unseen_rest(arms: [bool; 2], times: &str) -> Option<String> {
    let (rests, tells, show, way_out) = match arms {
        [false, false] => return None,
        [true, false] => (
            "the baseline's server rests while the candidate is measured",
            "it does not tell",
            "have it show",
            "say where it is (`arms.baseline.metrics`), or let perfgate start the server (`arms.baseline.command`)",
        ),
        [false, true] => (
            "the candidate's server rests while the baseline is measured",
            "it does not tell",
            "have it show",
            "say where it is (`arms.candidate.metrics`), or let perfgate start the server (`arms.candidate.command`)",
        ),
        [true, true] => (
            "either server rests while the other one is measured",
            "neither tells",
            "have both show",
            "say where they are (`arms.*.metrics`), or let perfgate start both (`arms.*.command`)",
        ),
    };
    Some(format!(
        "nobody could see whether {rests}{times}: {tells} on a `/metrics` page how many requests are in work, and no CPU time \
         is to be seen from here, so that other work there would move the figures unnoticed; {show} that page (`--metrics` \
         of llama.cpp, `--enable-metrics` of SGLang), {way_out}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::synthetic::{Figures, in_pairs, session};

    /// Both arms of two pairs, of which each run knows this of the other arm's server.
    fn arms(old: &HostUse, new: &HostUse) -> (Session, Session) {
        let (mut baseline, mut candidate) = in_pairs(
            &session(&[4], &[Figures::default(); 2]),
            &session(&[4], &[Figures::default(); 2]),
        );
        for (session, host) in [(&mut baseline, old), (&mut candidate, new)] {
            session.cells[0].runs.iter_mut().for_each(|run| run.host = host.clone());
        }
        (baseline, candidate)
    }

    fn told(old: &HostUse, new: &HostUse) -> Option<String> {
        let (baseline, candidate) = arms(old, new);
        unseen(&baseline, &candidate)
    }

    #[test]
    fn an_arm_that_nobody_could_see_rest_is_told_once_with_a_way_out() {
        let alone = HostUse::default();
        let unseen = HostUse {
            other_arm_up: true,
            ..HostUse::default()
        };
        let (asked, watched) = (
            HostUse {
                resting_arm_requests: Some(0),
                ..unseen.clone()
            },
            HostUse {
                resting_arm_cpu_s: Some(0.0),
                ..unseen.clone()
            },
        );
        assert_eq!(told(&alone, &alone), None, "nobody had to rest");
        assert_eq!(told(&asked, &watched), None);
        // The candidate's runs know of the baseline's server.
        assert_eq!(
            told(&asked, &unseen).unwrap(),
            "nobody could see whether the baseline's server rests while the candidate is measured: it does not tell on a \
             `/metrics` page how many requests are in work, and no CPU time is to be seen from here, so that other work there \
             would move the figures unnoticed; have it show that page (`--metrics` of llama.cpp, `--enable-metrics` of \
             SGLang), say where it is (`arms.baseline.metrics`), or let perfgate start the server (`arms.baseline.command`)"
        );
        let of_the_other = told(&unseen, &watched).unwrap();
        assert!(
            of_the_other.contains("the candidate's server rests while the baseline is measured: it does not"),
            "{of_the_other}"
        );
        let of_both = told(&unseen, &unseen).unwrap();
        assert!(
            of_both.contains("either server rests while the other one is measured: neither tells on a"),
            "{of_both}"
        );
    }

    #[test]
    fn a_page_that_answered_only_at_times_is_told_with_how_often_it_did_not() {
        let beside = HostUse {
            other_arm_up: true,
            resting_arm_requests: Some(0),
            ..HostUse::default()
        };
        let (baseline, mut candidate) = arms(&beside, &beside);
        candidate.cells[0].runs[1].host.resting_arm_requests = None;
        let told = unseen(&baseline, &candidate).unwrap();
        assert!(told.contains("is measured in 1 of 2 runs: it does not"), "{told}");
    }

    #[test]
    fn of_an_arm_that_was_stored_nothing_is_told() {
        let unseen_rest = HostUse {
            other_arm_up: true,
            ..HostUse::default()
        };
        let (mut baseline, mut candidate) = arms(&unseen_rest, &unseen_rest);
        assert!(unseen(&baseline, &candidate).is_some());
        if let Some(pairing) = &mut baseline.pairing {
            pairing.id = "b1".into();
        }
        assert_eq!(unseen(&baseline, &candidate), None, "of another measurement");
        candidate.pairing = None;
        assert_eq!(unseen(&baseline, &candidate), None, "measured alone");
    }

    #[test]
    fn blocks_of_an_older_file_were_measured_with_both_up() {
        let (baseline, mut candidate) = arms(&HostUse::default(), &HostUse::default());
        candidate.cells[0].runs[0].blocks = vec![crate::session::Block {
            requests: 200,
            start_ns: 0,
            started_unix_ms: 0,
        }];
        assert!(unseen(&baseline, &candidate).unwrap().contains("the baseline's server"));
    }
}
