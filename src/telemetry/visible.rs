//! Which GPUs count: the reading of `target.gpus` or `CUDA_VISIBLE_DEVICES`, as a function of its text and the UUIDs.

use super::NoGpu;

/// Who says which GPUs count, and what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    pub(super) by: &'static str,
    pub(super) text: &'a str,
}

/// The environment variable that CUDA itself reads.
pub(super) const VARIABLE: &str = "CUDA_VISIBLE_DEVICES";

/// One GPU, or one MIG instance, by its position in the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    Gpu(usize),
    Mig(usize),
}

/// What is there, by UUID, in NVML order; `None`: one that does not tell it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed<'a> {
    pub(super) gpus: &'a [Option<String>],
    pub(super) instances: &'a [Option<String>],
}

/// What counts of all that is listed; every GPU where nobody says.
///
/// An entry is an index in NVML (PCI bus) order, the beginning of a UUID (`GPU-8932f937`), or that of a MIG instance
/// (`MIG-…`), as in <https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#env-vars>. CUDA drops an entry that it
/// does not know with all that follow; here it is an error, since figures of fewer GPUs than were meant look like an
/// improvement.
pub(super) fn visible(said: Option<Said<'_>>, listed: Listed<'_>) -> Result<Vec<Pick>, NoGpu> {
    if listed.gpus.is_empty() {
        return Err(NoGpu::NoDevice);
    }
    let Some(said) = said else {
        return Ok((0..listed.gpus.len()).map(Pick::Gpu).collect());
    };
    // CUDA's own way to say none: empty, or -1 at the front.
    let entries = said.text.split(',').map(str::trim);
    let entries: Vec<&str> = entries.take_while(|entry| *entry != "-1").collect();
    if entries.iter().all(|entry| entry.is_empty()) {
        return Err(NoGpu::Hidden {
            by: said.by,
            text: said.text.to_owned(),
        });
    }
    let mut picks = Vec::new();
    for entry in entries {
        let pick = pick(said.by, entry, listed)?;
        if !picks.contains(&pick) {
            picks.push(pick);
        }
    }
    Ok(picks)
}

fn pick(by: &'static str, entry: &str, listed: Listed<'_>) -> Result<Pick, NoGpu> {
    if entry.starts_with("MIG-") {
        return Ok(Pick::Mig(position_of(
            (by, entry),
            (listed.instances, "MIG instances"),
        )?));
    }
    if let Ok(index) = entry.parse::<usize>()
        && index < listed.gpus.len()
    {
        return Ok(Pick::Gpu(index));
    }
    // A text that begins no UUID would fit every GPU, or one by chance.
    let uuids = if entry.starts_with("GPU-") { listed.gpus } else { &[] };
    let found = position_of((by, entry), (uuids, "GPUs"));
    let all = listed.gpus.len();
    found.map(Pick::Gpu).map_err(|error| match error {
        NoGpu::Unknown { by, entry, what, .. } => NoGpu::Unknown { by, entry, what, all },
        error => error,
    })
}

fn position_of(
    (by, entry): (&'static str, &str),
    (uuids, what): (&[Option<String>], &'static str),
) -> Result<usize, NoGpu> {
    let fits = |uuid: &Option<String>| uuid.as_deref().is_some_and(|uuid| uuid.starts_with(entry));
    let mut fitting = uuids.iter().enumerate().filter(|(_, uuid)| fits(uuid));
    let entry = entry.to_owned();
    match (fitting.next(), fitting.next()) {
        (Some((position, _)), None) => Ok(position),
        (Some(_), Some(_)) => Err(NoGpu::Ambiguous { by, entry, what }),
        (None, _) => Err(NoGpu::Unknown {
            by,
            entry,
            what,
            all: uuids.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(variable: Option<&str>) -> String {
        let gpus = ["GPU-aa11", "GPU-aa22", "GPU-bb33"].map(|uuid| Some(uuid.to_owned()));
        let instances = ["MIG-cc11", "MIG-cc22", "MIG-GPU-aa11/7/0"].map(|uuid| Some(uuid.to_owned()));
        let listed = Listed {
            gpus: &gpus,
            instances: &instances,
        };
        let said = variable.map(|text| Said {
            by: "CUDA_VISIBLE_DEVICES",
            text,
        });
        visible(said, listed).map_or_else(|error| error.to_string(), |picks| format!("{picks:?}"))
    }

    #[test]
    fn cuda_visible_devices_picks_the_gpus() {
        for (variable, expected) in [
            (None, "[Gpu(0), Gpu(1), Gpu(2)]"),
            (Some("1"), "[Gpu(1)]"),
            (Some("2,0"), "[Gpu(2), Gpu(0)]"),
            (Some(" 0 , 0"), "[Gpu(0)]"),
            (Some("GPU-bb"), "[Gpu(2)]"),
            (Some("GPU-aa22,0"), "[Gpu(1), Gpu(0)]"),
            (Some("MIG-cc2"), "[Mig(1)]"),
            (Some("MIG-GPU-aa11/7/0,MIG-cc11"), "[Mig(2), Mig(0)]"),
            (Some("1,-1,2"), "[Gpu(1)]"),
            (Some(""), "`CUDA_VISIBLE_DEVICES` is ``, which hides every GPU"),
            (Some("-1"), "`CUDA_VISIBLE_DEVICES` is `-1`, which hides every GPU"),
        ] {
            assert_eq!(answer(variable), expected, "{variable:?}");
        }
    }

    #[test]
    fn an_entry_that_names_no_single_gpu_is_an_error() {
        for (variable, expected) in [
            ("3", "names `3`, which is none of the 3 GPUs that NVML lists"),
            ("0,", "names ``, which is none of the 3 GPUs"),
            ("GPU-cc", "names `GPU-cc`, which is none of the 3 GPUs"),
            ("all", "names `all`, which is none of the 3 GPUs"),
            ("-2", "names `-2`, which is none of the 3 GPUs"),
            ("GPU-aa", "names `GPU-aa`, which fits more than one of the GPUs"),
            (
                "MIG-77",
                "names `MIG-77`, which is none of the 3 MIG instances that NVML lists",
            ),
            (
                "MIG-cc",
                "names `MIG-cc`, which fits more than one of the MIG instances",
            ),
        ] {
            let answer = answer(Some(variable));
            assert!(answer.contains(expected), "{variable}: {answer}");
        }
    }

    #[test]
    fn a_gpu_that_hides_its_uuid_is_found_by_index_only() {
        let listed = Listed {
            gpus: &[None],
            instances: &[],
        };
        let said = |text| Some(Said { by: VARIABLE, text });
        assert_eq!(visible(said("0"), listed), Ok(vec![Pick::Gpu(0)]));
        assert!(visible(said("GPU-aa"), listed).is_err());
    }

    #[test]
    fn without_a_gpu_nothing_is_visible() {
        let listed = Listed {
            gpus: &[],
            instances: &[],
        };
        assert_eq!(visible(None, listed), Err(NoGpu::NoDevice));
    }
}
