//! Any bytes as the body of an answer, in every API: nothing panics, and it does not matter how a connection cuts it.
//!
//! The first byte says which API, whether it streams, and into pieces of how many bytes the body is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perfgate::{load::answered, plan::Api};

const APIS: [Api; 8] = [
    Api::Chat,
    Api::Completions,
    Api::Responses,
    Api::Embeddings,
    Api::Messages,
    Api::KserveGenerate,
    Api::KserveInfer,
    Api::Tgi,
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, body)) = bytes.split_first() else {
        return;
    };
    let api = APIS[usize::from(first & 7)];
    let (streaming, piece_bytes) = (first & 8 == 0, usize::from(first >> 4) + 1);
    let whole = answered(api, streaming, (body, body.len()));
    let cut = answered(api, streaming, (body, piece_bytes));
    assert_eq!(whole, cut);
    if whole.completed() && streaming && api.has_tokens() {
        assert!(whole.first_token_ns.is_some());
    }
});
