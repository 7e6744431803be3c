//! Whether stored sessions are of the branch that a candidate is judged by.

/// What is known of a stored session's commit and the branch that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kin {
    /// The branch has it in its history.
    Own,
    /// It does not.
    Foreign,
    /// Nobody here can tell.
    Unknown,
    /// The session names no commit, or something that is no hash of one: a build, say.
    Untold,
}

impl Kin {
    /// The session measured last is the baseline among those that stand highest.
    pub(super) const fn rank(self) -> u8 {
        match self {
            Self::Own | Self::Untold => 2,
            Self::Unknown => 1,
            Self::Foreign => 0,
        }
    }
}

/// Tells of a session's commit whether it is of the branch.
pub type Lineage<'a> = dyn Fn(Option<&str>) -> Kin + 'a;

/// Where no branch is asked for.
pub const fn any(_: Option<&str>) -> Kin {
    Kin::Own
}
