//! The events of a trace, as far as they are looked at, in order of the file.

use std::collections::HashMap;

use super::args::{self, DeviceArgs, Numbers};
use crate::profile::json::{Broken, Cursor, nanoseconds};

/// A text that occurs many times, by its place in [`Names`].
pub(super) type Name = u32;

/// Texts by number, each kept once and where it stands in the file.
#[derive(Default)]
pub(super) struct Names<'a> {
    numbers: HashMap<&'a [u8], Name>,
    texts: Vec<&'a [u8]>,
}

impl<'a> Names<'a> {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &'a [u8]) -> Name {
        *self.numbers.entry(text).or_insert_with(|| {
            self.texts.push(text);
            Name::try_from(self.texts.len() - 1).unwrap_or(Name::MAX)
        })
    }

    /// The text of a number, escapes as they stand.
    pub(super) fn text(&self, name: Name) -> &'a [u8] {
        let place = usize::try_from(name).unwrap_or(usize::MAX);
        self.texts.get(place).copied().unwrap_or_default()
    }
}

/// From when to when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
}

/// An operator on the host.
pub(super) struct Op {
    pub(super) span: Span,
    pub(super) name: Name,
    /// Dimensions and types of its inputs, as they stand.
    pub(super) inputs: Option<(Name, Name)>,
    pub(super) thread: u32,
    pub(super) external_id: Option<u64>,
}

/// A range that the program itself marked.
pub(super) struct Annotation {
    pub(super) span: Span,
    pub(super) name: Name,
    pub(super) thread: u32,
}

/// A call of the device's interface.
pub(super) struct Call {
    pub(super) span: Span,
    pub(super) thread: u32,
    pub(super) correlation: u64,
    /// It launches a whole graph.
    pub(super) is_graph: bool,
}

/// A kernel, copy or memset.
pub(super) struct Work {
    pub(super) span: Span,
    pub(super) name: Name,
    pub(super) device: u32,
    pub(super) is_copy: bool,
    pub(super) args: DeviceArgs,
}

/// An allocation, or what was freed.
pub(super) struct Allocation {
    pub(super) at_ns: u64,
    pub(super) thread: u32,
    pub(super) bytes: i64,
    /// Bytes in use after it, where the profiler tells.
    pub(super) in_use_bytes: Option<u64>,
    pub(super) is_on_device: bool,
}

/// All that a trace says of what happened.
#[derive(Default)]
pub(super) struct Events<'a> {
    pub(super) names: Names<'a>,
    threads: HashMap<(&'a [u8], &'a [u8]), u32>,
    pub(super) ops: Vec<Op>,
    pub(super) annotations: Vec<Annotation>,
    pub(super) calls: Vec<Call>,
    pub(super) works: Vec<Work>,
    pub(super) allocations: Vec<Allocation>,
    /// When the profiler itself worked.
    pub(super) profiler: Vec<(u64, u64)>,
    /// Events of Python's stacks, which are not looked at.
    pub(super) python: u64,
}

/// Why events cannot be read.
#[derive(Debug)]
pub(super) enum Bad {
    /// The text is no JSON.
    Json(Broken),
    /// An event begins at this byte and is not as profilers write them.
    Event { at: usize, what: &'static str },
}

impl From<Broken> for Bad {
    fn from(broken: Broken) -> Self {
        Self::Json(broken)
    }
}

/// One event as it stands.
#[derive(Clone, Copy, Default)]
struct Raw<'a> {
    phase: &'a [u8],
    category: &'a [u8],
    name: &'a [u8],
    process: &'a [u8],
    thread: &'a [u8],
    time: &'a [u8],
    duration: &'a [u8],
    args: &'a [u8],
}

/// Categories of the events that are looked at.
#[derive(Clone, Copy)]
enum Category {
    Op,
    Annotation,
    Call,
    Work { is_copy: bool },
    Profiler,
}

impl Category {
    /// By the names of today and of before 2022.
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"cpu_op" | b"Operator" => Self::Op,
            b"user_annotation" => Self::Annotation,
            b"kernel" | b"Kernel" | b"gpu_memset" | b"Memset" => Self::Work { is_copy: false },
            b"gpu_memcpy" | b"Memcpy" => Self::Work { is_copy: true },
            b"overhead" => Self::Profiler,
            b"Runtime" => Self::Call,
            name if name.ends_with(b"_runtime") || name.ends_with(b"_driver") => Self::Call,
            _ => return None,
        })
    }
}

impl<'a> Events<'a> {
    /// Reads one event.
    pub(super) fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Bad> {
        cursor.peek()?;
        let at = cursor.at();
        let mut raw = Raw::default();
        cursor.object::<Broken>(|key, cursor| {
            let value = cursor.value()?;
            match key {
                b"ph" => raw.phase = value,
                b"cat" => raw.category = value,
                b"name" => raw.name = value,
                b"pid" => raw.process = value,
                b"tid" => raw.thread = value,
                b"ts" => raw.time = value,
                b"dur" => raw.duration = value,
                b"args" => raw.args = value,
                _ => {}
            }
            Ok(())
        })?;
        match (raw.phase, Category::of(raw.category)) {
            (b"X", Some(category)) => self.spanning(category, raw).map_err(|what| Bad::Event { at, what }),
            (b"X", None) if raw.category == b"python_function" => {
                self.python += 1;
                Ok(())
            }
            (b"i" | b"I", _) if raw.name == b"[memory]" => self.allocation(raw).map_err(|what| Bad::Event { at, what }),
            _ => Ok(()),
        }
    }

    fn spanning(&mut self, category: Category, raw: Raw<'a>) -> Result<(), &'static str> {
        let start_ns = nanoseconds(raw.time).ok_or("`ts` is no number of microseconds")?;
        // Clocks of host and device are fitted to one another, after which some events end before they began.
        let length_ns = match raw.duration {
            [b'-', ..] => 0,
            duration => nanoseconds(duration).ok_or("`dur` is no number of microseconds")?,
        };
        let end_ns = start_ns.checked_add(length_ns).ok_or("`dur` is too long")?;
        let span = Span { start_ns, end_ns };
        let thread = self.thread(raw);
        match category {
            Category::Op => {
                let args = args::of_op(raw.args);
                let inputs = args.dims.zip(args.types);
                self.ops.push(Op {
                    span,
                    name: self.names.number(raw.name),
                    inputs: inputs.map(|(dims, types)| (self.names.number(dims), self.names.number(types))),
                    thread,
                    external_id: args.external_id,
                });
            }
            Category::Annotation => {
                let name = self.names.number(raw.name);
                self.annotations.push(Annotation { span, name, thread });
            }
            Category::Call => {
                if let Some(correlation) = args::numbers(raw.args).correlation {
                    self.calls.push(Call {
                        span,
                        thread,
                        correlation,
                        is_graph: raw.name.ends_with(b"GraphLaunch") || raw.name.starts_with(b"cudaGraphLaunch"),
                    });
                }
            }
            Category::Work { is_copy } => self.work(raw, span, is_copy),
            Category::Profiler => self.profiler.push((start_ns, end_ns)),
        }
        Ok(())
    }

    fn work(&mut self, raw: Raw<'a>, span: Span, is_copy: bool) {
        let args = args::of_device(raw.args);
        let name = self.names.number(raw.name);
        let device = args.device.unwrap_or_default();
        self.works.push(Work {
            span,
            name,
            device,
            is_copy,
            args,
        });
    }

    fn allocation(&mut self, raw: Raw<'a>) -> Result<(), &'static str> {
        let at_ns = nanoseconds(raw.time).ok_or("`ts` is no number of microseconds")?;
        let Numbers {
            bytes: Some(bytes),
            in_use_bytes,
            device_type,
            ..
        } = args::numbers(raw.args)
        else {
            return Err("an allocation without `Bytes`");
        };
        let thread = self.thread(raw);
        self.allocations.push(Allocation {
            at_ns,
            thread,
            bytes,
            in_use_bytes,
            is_on_device: device_type != Some(0),
        });
        Ok(())
    }

    fn thread(&mut self, raw: Raw<'a>) -> u32 {
        let next = u32::try_from(self.threads.len()).unwrap_or(u32::MAX);
        *self.threads.entry((raw.process, raw.thread)).or_insert(next)
    }
}
