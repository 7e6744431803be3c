//! What a warning owes, and what is no answer to it.

use perfgate::github::Conclusion;

use super::{
    RULES, SLOWER, Try,
    forge::{BASE, Memory},
    pair,
};

/// TPOT only warns, and asks for an explanation that holds the gate.
fn held() -> Memory {
    let rules = RULES.replace(
        "{threshold: 5%, action: block}\n",
        "{threshold: 5%, action: warn, requires: explanation}\n  ttft_p95: 90%\n  output_tokens_per_s: 90%\non_unmet_explanation: hold\n",
    );
    Memory::new().with_file(BASE, "perfgate.yaml", rules)
}

#[test]
fn an_explanation_that_holds_the_gate_asks_for_action() {
    let mut forge = held();
    let (done, _) = Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    assert_eq!(
        (done.exit_code, forge.checks[0].conclusion),
        (3, Conclusion::ActionRequired),
        "{}",
        done.text
    );
    forge.pulls[0].body = "perfgate-explain: tpot_p95: bigger batches".into();
    let (done, _) = Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
    assert_eq!(
        (done.exit_code, forge.checks[1].conclusion),
        (0, Conclusion::Success),
        "{}",
        done.text
    );
}

#[test]
fn what_no_reader_of_the_description_sees_explains_nothing() {
    for body in [
        "<!-- perfgate-explain: tpot_p95: because -->",
        "<!--\nperfgate-explain: tpot_p95: because\n-->",
        "```\nperfgate-explain: tpot_p95: because\n```",
        "perfgate-explain: tpot_p95: REASON",
        "perfgate-explain: tpot_p95: <why it is slower>",
        "perfgate-explain: tpot_p95: ‹why›",
    ] {
        let mut forge = held();
        forge.pulls[0].body = body.into();
        let (done, _) = Try::of(&pair(&SLOWER)).run(&mut forge).unwrap();
        assert_eq!(
            (done.exit_code, forge.checks[0].conclusion),
            (3, Conclusion::ActionRequired),
            "{body}: {}",
            done.text
        );
        let is_placeholder = body.starts_with("perfgate");
        assert_eq!(
            forge.comment().contains("has a placeholder"),
            is_placeholder,
            "{}",
            forge.comment()
        );
    }
}
