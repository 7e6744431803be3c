//! What `perfgate schema` and `perfgate init` print.

use super::twin::ConfigFile;

/// The JSON Schema of `perfgate.yaml`, made from the twin that reads it.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(ConfigFile);
    format!("{:#}\n", schema.as_value())
}

/// A commented `perfgate.yaml` to begin with.
pub fn starter() -> &'static str {
    include_str!("starter.yaml")
}
