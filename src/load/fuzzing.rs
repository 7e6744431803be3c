//! What `fuzz/` gives to the readers of answers; built for it alone (`--cfg fuzzing`).

use super::{
    answer::{Answer, BodyEnd},
    dialect::Dialect,
};
use crate::{
    plan::{Api, Lengths, Load, Plan, Prompts, Target, Workload},
    session::RequestRecord,
};

/// The record of one answer whose body arrives in pieces of so many bytes, all of them at once.
pub fn answered(api: Api, streaming: bool, (body, piece_bytes): (&[u8], usize)) -> RequestRecord {
    const AT_NS: u64 = 1;
    let target = Target {
        api,
        streaming,
        ..Target::at("http://127.0.0.1:1")
    };
    let prompts = Prompts::Synthetic {
        input_tokens: Lengths::Fixed(1),
    };
    let workload = Workload::new(prompts, Lengths::Fixed(1));
    let plan = Plan::new(target, workload, vec![Load::Concurrency(1)]);
    let mut answer = Answer::new(Dialect::of(&plan), true);
    for piece in body.chunks(piece_bytes.max(1)) {
        answer.push(piece, AT_NS);
    }
    let (outcome, facts) = answer.end(BodyEnd::Clean, AT_NS);
    let mut record = RequestRecord {
        outcome,
        end_ns: AT_NS,
        ..RequestRecord::default()
    };
    facts.fill(&mut record);
    record
}
