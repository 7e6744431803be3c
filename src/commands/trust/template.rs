//! Templates of the repository: read as the rules are, from the base in the job of a pull request.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use super::{
    Asked, here, job,
    layout::Layout,
    orders,
    read::short,
    source::{InClone, Source},
};
use crate::{
    commands::CommandError,
    git::Repository,
    github::Event,
    render::{MOST_TEMPLATE_BYTES, Template},
    report::Trusted,
};

/// The template of a verb that judges: of the commit whose rules hold.
///
/// # Errors
/// There is none, or it is none.
pub fn template(path: &Path, trusted: Option<&Trusted>) -> Result<Template, CommandError> {
    read(path, trusted.map(|trusted| trusted.commit.as_str()))
}

/// That of a verb that has no rules.
///
/// # Errors
/// As [`template`]; or nobody knows whose rules hold in this job.
pub fn template_of_job(path: &Path, asked: &Asked<'_>) -> Result<Template, CommandError> {
    let event = Event::of_this_job(asked.variable)?;
    let named = job::trusted_ref(orders::named_ref(asked).as_deref(), event.as_ref(), || Ok(None))?;
    read(path, named.as_deref())
}

fn read(path: &Path, commit: Option<&str>) -> Result<Template, CommandError> {
    let name = path.display().to_string();
    let bytes = match commit {
        None => of_disk(path)?,
        Some(commit) => {
            let here = here()?;
            let repository = Repository::open(&here)?;
            let layout = Layout {
                root: repository.root().to_owned(),
                here,
            };
            match layout.inside(path) {
                Some(inside) => at(&mut InClone::at(&repository, commit)?, &inside)?,
                // Whoever names a file outside of the repository runs the job, and no pull request can change it.
                None => of_disk(path)?,
            }
        }
    };
    Ok(Template::new(&name, &bytes)?)
}

fn at(base: &mut dyn Source, path: &str) -> Result<Vec<u8>, CommandError> {
    base.file(path)?.ok_or_else(|| {
        CommandError::Usage(format!(
            "the template `{path}` is not in commit `{}`, whose rules hold here and where it is read from; add it there in a pull \
             request of its own, or name one outside of the repository",
            short(base.commit())
        ))
    })
}

/// One byte more than a template has, so that it is seen where there are more.
fn of_disk(path: &Path) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>| -> io::Result<usize> {
        fs::File::open(path)?
            .take(MOST_TEMPLATE_BYTES as u64 + 1)
            .read_to_end(bytes)
    };
    read(&mut bytes).map_err(|source| CommandError::File {
        what: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
}
