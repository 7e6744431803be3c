//! `perfgate.yaml`: layers, defaults, the resolved plan, its JSON Schema.
