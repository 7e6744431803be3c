//! `perfgate.yaml`: layers, defaults, the resolved plan, its JSON Schema.
//!
//! Default < file < environment < flag. Each layer becomes a tree with places (`node`), is read through one strict
//! twin (`twin`) and checked on its own; [`resolve`] then takes each key from the highest layer that has it.
//!
//! | file | what lives there |
//! |---|---|
//! | `keys` | the one table: place in the file, environment variable, flag |
//! | `yaml` `typed` | file text, and flag or variable text, to a tree |
//! | `twin` `values` `limits` `texts` `lengths` `spans` `steps` `split` `either` | what may stand under each key |
//! | `layers` `fields` | a layer: tree, twin, and checks across keys; names of fingerprint fields |
//! | `resolve` `resolver` `policy` | from layers to plan, policy and settings, with the origin of each value |
//! | `address` | where the stored baselines are |
//! | `accept` | `perfgate-accept.yaml`: what the base branch explains |
//! | `show` `schema` | the resolved plan for people; the JSON Schema; the starter file |

mod accept;
mod address;
mod either;
mod error;
mod fields;
pub mod keys;
mod layers;
mod lengths;
mod limits;
mod nearest;
mod node;
mod policy;
mod resolve;
mod resolver;
mod runner;
mod schema;
mod settings;
mod show;
mod spans;
mod split;
mod steps;
mod texts;
mod twin;
mod typed;
mod values;
mod yaml;

pub use accept::{ACCEPT_FILE, acceptances};
pub use address::{Scheme, StoreAddress};
pub use error::ConfigError;
pub use layers::Overrides;
pub use nearest::no_metric;
pub use node::Source;
pub use resolve::{
    FileText, HeaderSource, IdleAnswers, Measure, Origin, Resolved, Settings, Sweep, file_meant, resolve, resolve_text,
};
pub use runner::{Call, RunnerSettings, Tool};
pub use schema::{json_schema, starter};
pub use settings::DEFAULT_STORE;
pub use show::show;
pub use spans::duration;
