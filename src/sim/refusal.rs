//! How a request is refused, in the words of each API.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::plan::Api;

/// A request that is refused, in vLLM's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    message: String,
    kind: &'static str,
    pub(super) param: Option<&'static str>,
}

impl Refusal {
    pub(super) fn bad_request(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
            kind: "BadRequestError",
            param,
        }
    }

    pub(super) fn not_found(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            message: message.into(),
            kind: "NotFoundError",
            param,
        }
    }

    pub(super) fn status(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind: "BadRequestError",
            param: None,
        }
    }

    /// The body of a refusal, shaped as the servers of this API have it.
    pub(super) fn json(&self, api: Api) -> Value {
        let message = self.message.as_str();
        let code = self.status.as_u16();
        match api {
            Api::Messages => {
                json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}})
            }
            Api::KserveGenerate | Api::KserveInfer => json!({"error": message}),
            Api::Tgi => json!({"error": message, "error_type": "validation"}),
            _ => json!({"error": {"message": message, "type": self.kind, "param": self.param, "code": code}}),
        }
    }
}
