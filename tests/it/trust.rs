//! Whose rules hold: a pull request moves neither thresholds nor baselines, and says why in the open.

mod baselines;
mod evidence;
mod examples;
mod gates;
pub(crate) mod repository;
mod results;
mod rules;
mod templates;
mod verbs;
