//! The embedded inference engine: continuous batching behind an OpenAI-compatible HTTP server.
