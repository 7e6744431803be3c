//! The search for the commit that made a metric worse, as a pure function of what was measured.
//!
//! | file | what lives there |
//! |---|---|
//! | `range.rs` | the commits that may have done it, and which of them a checkout holds |
//! | `effect.rs` | what tells a good commit from a bad one, learnt at both ends |
//! | `posterior.rs` | how likely each commit is to be the first bad one |
//! | `search.rs` | what to measure next, and when it is found |
//! | `sequential.rs` | how often one commit is measured before it is called good or bad |
//! | `forecast.rs` | what each way costs, by simulation |

mod effect;
mod forecast;
mod posterior;
mod range;
mod search;
mod sequential;

pub use self::{
    effect::{Effect, Ends, MOST_END_RUNS},
    forecast::{Forecast, MOST_RUNS_OF_ONE, Strategy, forecast},
    posterior::Posterior,
    range::Range,
    search::{Finding, Search, Step},
    sequential::{Sequential, State},
};
