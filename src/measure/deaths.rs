//! Runs whose server went away: nothing came back, or answers came until it died.

use std::collections::BTreeSet;

use crate::session::{FailureClass, Outcome, RequestRecord, Run, Session};

/// So many requests in a row that find nobody, up to the end of a run, are a server that is gone.
const REFUSED: usize = 5;

/// How a run lost its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// No request succeeded.
    Throughout,
    /// Answers came, and then it was gone to the end of the run.
    Midway,
}

/// How a run lost its server; `None`: it did not. A run that Ctrl-C cut has to be left out before.
///
/// Of a server that perfgate started it is known; another one is gone where its address refuses every connection to the
/// end.
pub fn death(run: &Run) -> Option<Death> {
    if run.search.is_some() {
        return None;
    }
    let answered = run.requests.iter().any(RequestRecord::completed);
    if answered {
        (run.server_died || refused_to_the_end(run) >= REFUSED).then_some(Death::Midway)
    } else {
        (run.server_died || !run.requests.is_empty()).then_some(Death::Throughout)
    }
}

/// That the server was gone before the end of a run which nothing else cut short, in words.
pub fn gone_because(run: &Run) -> Option<String> {
    (death(run) == Some(Death::Midway)).then(|| {
        format!(
            "the server was gone before the end: the last {} of {} requests found nobody at its address",
            refused_to_the_end(run),
            run.requests.len()
        )
    })
}

/// How many requests in a row, the last to end among them, were refused a connection.
fn refused_to_the_end(run: &Run) -> usize {
    let class = |record: &RequestRecord| match &record.outcome {
        Outcome::Completed => None,
        Outcome::Failed(failure) => Some(failure.class),
    };
    // A turn that was never sent tells nothing.
    let sent = run.requests.iter().map(|record| (record.end_ns, class(record)));
    let mut sent: Vec<_> = sent
        .filter(|(_, class)| *class != Some(FailureClass::Abandoned))
        .collect();
    sent.sort_by_key(|(end_ns, _)| std::cmp::Reverse(*end_ns));
    let refused = |(_, class): &&(u64, Option<FailureClass>)| *class == Some(FailureClass::ConnectRefused);
    sent.iter().take_while(refused).count()
}

/// How often the server of a session died. Of the cells of one repeat it is counted once: where nobody starts it again,
/// the cell after finds it still gone.
///
/// For the same reason a session that was measured alone, whose last run found nobody after the server had died in the
/// repeat before, tells of one death and not of two. In an A/B measurement such a run is a second try, beside an arm that
/// lives.
pub fn deaths(session: &Session) -> usize {
    let runs = session.cells.iter().flat_map(|cell| &cell.runs);
    let lost = runs.filter(|run| !session.was_cut_by_interrupt(run));
    let lost: Vec<(u32, Death)> = lost.filter_map(|run| Some((run.repeat, death(run)?))).collect();
    let died_in = |repeat: u32| lost.contains(&(repeat, Death::Midway));
    let still_gone = |repeat: u32| {
        let before = repeat.checked_sub(1).is_some_and(died_in);
        session.pairing.is_none() && before && !died_in(repeat)
    };
    let repeats: BTreeSet<u32> = lost.iter().map(|(repeat, _)| *repeat).collect();
    repeats.into_iter().filter(|repeat| !still_gone(*repeat)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::synthetic::{Figures, fail_with, in_pairs, session},
        session::{Ended, Search, SearchEnd},
    };

    const REFUSED_CLASS: FailureClass = FailureClass::ConnectRefused;

    /// A run whose last requests failed so.
    fn ending(last: usize, class: FailureClass) -> Run {
        let mut run = Figures::default().run();
        let from = run.requests.len() - last;
        run.requests[from..]
            .iter_mut()
            .for_each(|record| fail_with(record, class));
        run
    }

    #[test]
    fn a_run_lost_its_server_where_nobody_was_there_to_its_end() {
        use Death::{Midway, Throughout};
        for (run, expected) in [
            (ending(0, REFUSED_CLASS), None),
            (ending(4, REFUSED_CLASS), None),
            (ending(5, REFUSED_CLASS), Some(Midway)),
            (ending(50, FailureClass::Http(500)), None),
            (ending(50, FailureClass::Connect), None),
            (ending(200, FailureClass::Http(500)), Some(Throughout)),
            (Run::default(), None),
        ] {
            assert_eq!(death(&run), expected, "{:?}", run.failures());
        }
        let mut back = ending(50, REFUSED_CLASS);
        back.requests[199] = Figures::default().run().requests[199].clone();
        assert_eq!(death(&back), None, "it came back");
        // Turns behind a failed one were never sent, and those that were under way broke.
        let mut talk = ending(50, REFUSED_CLASS);
        fail_with(&mut talk.requests[199], FailureClass::Abandoned);
        fail_with(&mut talk.requests[150], FailureClass::ConnectionLost);
        assert_eq!(death(&talk), Some(Midway));
        assert_eq!(
            gone_because(&talk).unwrap(),
            "the server was gone before the end: the last 48 of 200 requests found nobody at its address"
        );
    }

    #[test]
    fn a_server_of_ours_that_ended_is_dead_whatever_came_back() {
        let died = |run: Run| Run {
            server_died: true,
            ..run
        };
        let whole = died(ending(0, REFUSED_CLASS));
        assert_eq!(death(&whole), Some(Death::Midway));
        assert_eq!(death(&died(Run::default())), Some(Death::Throughout));
        let search = Search {
            end: SearchEnd::Found(4.0),
            steps: Vec::new(),
        };
        let search = Run {
            search: Some(search),
            ..Run::default()
        };
        assert_eq!(death(&search), None);
    }

    #[test]
    fn one_outage_is_one_death() {
        let with = |runs: [&[Run]; 2]| {
            let mut found = session(&[1, 4], &[]);
            for (cell, runs) in found.cells.iter_mut().zip(runs) {
                cell.runs = runs.to_vec();
                (0..).zip(&mut cell.runs).for_each(|(repeat, run)| run.repeat = repeat);
            }
            found
        };
        let (well, midway, gone) = (
            ending(0, REFUSED_CLASS),
            ending(100, REFUSED_CLASS),
            ending(200, REFUSED_CLASS),
        );
        let both = |runs: &[Run]| with([runs, &[]]);
        assert_eq!(deaths(&both(&[well.clone(), well.clone()])), 0);
        assert_eq!(
            deaths(&with([std::slice::from_ref(&midway), std::slice::from_ref(&gone)])),
            1
        );
        assert_eq!(deaths(&both(&[midway.clone(), well, midway.clone()])), 2);
        let still = both(&[midway.clone(), gone]);
        assert_eq!(deaths(&still), 1, "nobody started it again");
        assert_eq!(deaths(&in_pairs(&still, &still).1), 2, "it was tried again");
        let mut cut = both(&[midway]);
        cut.ended = Ended::Interrupted;
        cut.cells[0].runs[0].cut_short = Some("interrupted".into());
        assert_eq!(deaths(&cut), 0);
        cut.cells[0].runs[0].server_died = true;
        assert_eq!(deaths(&cut), 1, "it died before Ctrl-C");
    }
}
