//! Which GPUs count: the reading of `CUDA_VISIBLE_DEVICES`, as a function of its text and the UUIDs.

use super::NoGpu;

/// Positions in `uuids` (NVML order) that `CUDA_VISIBLE_DEVICES` leaves visible; all of them where it is not set.
///
/// An entry is an index in NVML (PCI bus) order or the beginning of a UUID (`GPU-8932f937`), as in
/// <https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#env-vars>. CUDA drops an entry that it does not
/// know with all that follow; here it is an error, since figures of fewer GPUs than were meant look like an improvement.
pub(super) fn visible(variable: Option<&str>, uuids: &[Option<String>]) -> Result<Vec<usize>, NoGpu> {
    if uuids.is_empty() {
        return Err(NoGpu::NoDevice);
    }
    let Some(text) = variable else {
        return Ok((0..uuids.len()).collect());
    };
    // CUDA's own way to say none: empty, or -1 at the front.
    let entries: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .take_while(|entry| *entry != "-1")
        .collect();
    if entries.iter().all(|entry| entry.is_empty()) {
        return Err(NoGpu::Hidden(text.to_owned()));
    }
    let mut positions = Vec::new();
    for entry in entries {
        let position = position_of(entry, uuids)?;
        if !positions.contains(&position) {
            positions.push(position);
        }
    }
    Ok(positions)
}

fn position_of(entry: &str, uuids: &[Option<String>]) -> Result<usize, NoGpu> {
    if entry.starts_with("MIG-") {
        return Err(NoGpu::Mig(entry.to_owned()));
    }
    if let Ok(index) = entry.parse::<usize>()
        && index < uuids.len()
    {
        return Ok(index);
    }
    let is_uuid = entry.starts_with("GPU-");
    let fits = |uuid: &Option<String>| is_uuid && uuid.as_deref().is_some_and(|uuid| uuid.starts_with(entry));
    let mut fitting = uuids.iter().enumerate().filter(|(_, uuid)| fits(uuid));
    match (fitting.next(), fitting.next()) {
        (Some((position, _)), None) => Ok(position),
        (Some(_), Some(_)) => Err(NoGpu::Ambiguous {
            entry: entry.to_owned(),
        }),
        (None, _) => Err(NoGpu::Unknown {
            entry: entry.to_owned(),
            gpus: uuids.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(variable: Option<&str>) -> String {
        let uuids = ["GPU-aa11", "GPU-aa22", "GPU-bb33"].map(|uuid| Some(uuid.to_owned()));
        visible(variable, &uuids).map_or_else(|error| error.to_string(), |positions| format!("{positions:?}"))
    }

    #[test]
    fn cuda_visible_devices_picks_the_gpus() {
        for (variable, expected) in [
            (None, "[0, 1, 2]"),
            (Some("1"), "[1]"),
            (Some("2,0"), "[2, 0]"),
            (Some(" 0 , 0"), "[0]"),
            (Some("GPU-bb"), "[2]"),
            (Some("GPU-aa22,0"), "[1, 0]"),
            (Some("1,-1,2"), "[1]"),
            (Some(""), "`CUDA_VISIBLE_DEVICES` is ``, which hides every GPU"),
            (Some("-1"), "`CUDA_VISIBLE_DEVICES` is `-1`, which hides every GPU"),
        ] {
            assert_eq!(answer(variable), expected, "{variable:?}");
        }
    }

    #[test]
    fn an_entry_that_names_no_single_gpu_is_an_error() {
        for (variable, expected) in [
            ("3", "names `3`, which is none of the 3 GPUs"),
            ("0,", "names ``, which is none of the 3 GPUs"),
            ("GPU-cc", "names `GPU-cc`, which is none of the 3 GPUs"),
            ("all", "names `all`, which is none of the 3 GPUs"),
            ("-2", "names `-2`, which is none of the 3 GPUs"),
            ("GPU-aa", "names `GPU-aa`, which fits more than one GPU"),
            ("MIG-77", "names the MIG instance `MIG-77`"),
        ] {
            let answer = answer(Some(variable));
            assert!(answer.contains(expected), "{variable}: {answer}");
        }
    }

    #[test]
    fn a_gpu_that_hides_its_uuid_is_found_by_index_only() {
        assert_eq!(visible(Some("0"), &[None]), Ok(vec![0]));
        assert!(visible(Some("GPU-aa"), &[None]).is_err());
    }

    #[test]
    fn without_a_gpu_nothing_is_visible() {
        assert_eq!(visible(None, &[]), Err(NoGpu::NoDevice));
        assert_eq!(visible(Some("0"), &[]), Err(NoGpu::NoDevice));
    }
}
