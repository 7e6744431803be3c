//! Names of fingerprint fields under `allow` and `fields`: a misspelt one would allow, or refuse, nothing, and say nothing.

use super::{
    error::ConfigError,
    layers::Layer,
    nearest::{nearest, slip},
};
use crate::compare::{
    fingerprint::{self, DECLARED, FIELDS, OPEN_FIELDS, SEEN_FIELDS},
    work,
};

/// Letters that a name of the owner's own may differ by from a known one to be called a slip: it may well be another
/// name, which only the sessions know.
const LETTERS: usize = 2;

/// Refuses a name that no fingerprint has.
///
/// # Errors
/// At the place of the name, with the field that was most likely meant.
pub(super) fn check(layers: &[Layer]) -> Result<(), ConfigError> {
    let declared: Vec<String> = layers.iter().flat_map(declared).collect();
    let known: Vec<&str> = FIELDS
        .into_iter()
        .chain(SEEN_FIELDS)
        .chain([work::ALLOW])
        .chain(declared.iter().map(String::as_str))
        .collect();
    for layer in layers {
        for (path, name) in named(layer) {
            if let Some(message) = wrong(&name, &known) {
                return Err(layer.error(&path, &message));
            }
        }
    }
    Ok(())
}

/// What a layer says of hardware, framework and request body, as fields.
fn declared(layer: &Layer) -> Vec<String> {
    let twin = &layer.twin;
    let free = [("hardware.", &twin.hardware), ("framework.", &twin.framework)];
    let free = free.into_iter().flat_map(|(start, map)| {
        map.iter()
            .flat_map(move |map| map.0.keys().map(move |key| format!("{start}{key}")))
    });
    let body = twin.extra_body.iter().flatten();
    free.chain(body.map(|(key, _)| format!("plan.extra_body.{key}")))
        .collect()
}

/// The names in a layer, each with its place.
fn named(layer: &Layer) -> Vec<(String, String)> {
    let allowed = layer.twin.allow.iter().flatten();
    let allowed = allowed.map(|word| ("allow".to_owned(), word.0.clone()));
    let ruled = layer.twin.fields.iter().flat_map(|fields| fields.keys());
    let ruled = ruled.map(|name| (format!("fields.{name}"), name.clone()));
    allowed.chain(ruled).collect()
}

fn wrong(name: &str, known: &[&str]) -> Option<String> {
    let plain = name.strip_suffix(DECLARED).unwrap_or(name);
    if known.contains(&plain) {
        return None;
    }
    let no_such = format!("there is no field `{name}`");
    if !fingerprint::is_open(plain) {
        return Some(match nearest(plain, known) {
            Some(near) => format!("{no_such}; did you mean `{near}`?"),
            None => format!("{no_such}; the fields are {}", all()),
        });
    }
    let start = OPEN_FIELDS.into_iter().find(|start| plain.starts_with(start))?;
    let rest = plain.strip_prefix(start)?;
    let others: Vec<&str> = known.iter().filter_map(|own| own.strip_prefix(start)).collect();
    let near = slip(rest, &others, LETTERS)?;
    let key = start.trim_end_matches('.').trim_start_matches("plan.");
    Some(format!(
        "{no_such}; did you mean `{start}{near}`? One of your own must be stated under `{key}` as well"
    ))
}

fn all() -> String {
    let fields = FIELDS.into_iter().chain(SEEN_FIELDS).map(|field| format!("`{field}`"));
    let open = OPEN_FIELDS.into_iter().map(|start| format!("`{start}…`"));
    let work = [format!("`{}`", work::ALLOW)];
    let known: Vec<String> = fields.chain(open).chain(work).collect();
    known.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_apart_from_a_name_of_the_owners_own() {
        let known = [
            "engine.version",
            "hardware.gpus",
            "hardware.cpu",
            "hardware.cpu_cores",
            "hardware.model",
            "hardware.os",
            "framework.config.tp",
            "work",
        ];
        for (name, meant) in [
            ("engine.version", None),
            ("hardware.gpus", None),
            ("hardware.gpus (declared)", None),
            ("work", None),
            ("engine.versoin", Some("engine.version")),
            ("engine_version", Some("engine.version")),
            ("gpus", Some("hardware.gpus")),
            ("hardware.gpux", None),
            ("hardware.gpu", None),
            ("hardware.cpus", None),
            ("hardware.tpu", None),
            ("hardware.npu", None),
            ("hardware.tpus", None),
            ("hardware.cpu_coers", Some("hardware.cpu_cores")),
            ("hardware.cpu_core", None),
            ("hardware.moddl", Some("hardware.model")),
            ("hardware.rack", None),
            ("hardware.cpu_model", None),
            ("hardware.ib", None),
            ("hardware.cuda", None),
            ("framework.config.pp", None),
            ("framework.gpux", None),
            ("plan.extra_body.top_p", None),
        ] {
            let found = wrong(name, &known);
            let told = found
                .as_ref()
                .map(|message| message.split('`').nth(3).unwrap_or("no field"));
            assert_eq!(told, meant, "{name}: {found:?}");
        }
        assert!(
            wrong("colour", &known)
                .unwrap()
                .contains("the fields are `definitions`")
        );
    }
}
