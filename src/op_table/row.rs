//! The rows of a table: an operator, a kernel.

use super::{Family, SpeedOfLight};

/// An operator at one place with one kind of inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpRow {
    /// Ranges around it inside of its phase, numbers of layers left out (`layer/attn`); empty where there are none.
    pub region: String,
    /// As the framework names it (`aten::copy_`).
    pub name: String,
    /// Shapes and types of its inputs; `None` where they were not recorded.
    pub inputs: Option<Inputs>,
    /// How often it was called.
    pub calls: u64,
    /// Its time on the host, without that of operators that it called.
    pub self_ns: u64,
    /// Time of the kernels that it launched itself.
    pub device_ns: u64,
    /// Bytes that it read and wrote, from shapes and types; `None` where these do not tell (all but copies).
    pub moved_bytes: Option<u64>,
    /// Bytes that it allocated itself; `None` where allocations were not recorded.
    pub allocated_bytes: Option<u64>,
}

/// Shapes and types of an operator's inputs, as the profiler writes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inputs {
    /// `[[4,256],[]]`.
    pub dims: String,
    /// `["float","Scalar"]`.
    pub types: String,
}

/// A kernel, copy or memset at one place with one launch shape.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelRow {
    /// As of [`OpRow::region`].
    pub region: String,
    /// The operator that launched it; `None` where that is not recorded (CUDA graphs).
    pub op: Option<String>,
    /// As the profiler names it, whole.
    pub name: String,
    /// What sort of work it is, by its name.
    pub family: Family,
    /// Blocks in the grid; `None` for copies and where it was not recorded.
    pub grid: Option<[u32; 3]>,
    /// Threads in a block.
    pub block: Option<[u32; 3]>,
    /// How often it ran.
    pub launches: u64,
    /// All its runs together.
    pub time_ns: u64,
    /// Bytes that copies and memsets moved.
    pub bytes: Option<u64>,
    /// How near it came to the limits of the device; `None` where that was not measured.
    pub speed_of_light: Option<SpeedOfLight>,
}

impl KernelRow {
    /// A kernel that has not run yet, its family told by its name.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            region: String::new(),
            op: None,
            family: super::family_of(&name),
            name,
            grid: None,
            block: None,
            launches: 0,
            time_ns: 0,
            bytes: None,
            speed_of_light: None,
        }
    }
}
