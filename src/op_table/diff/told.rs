//! What captures tell of a change of time.

/// What the captures tell of a change of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// A side has one capture: nothing is said.
    OneCapture,
    /// No more than captures of one side differ.
    Nothing,
    /// It goes one way with the long gaps between steps and another without them: of whose they are a profile tells nothing.
    Waiting,
    /// The bad side is slower by this many milliseconds (95 % interval).
    Slower(f64, f64),
    /// The bad side is faster.
    Faster(f64, f64),
}

impl Told {
    /// Whether something is said.
    pub const fn is_something(self) -> bool {
        matches!(self, Self::Slower(..) | Self::Faster(..))
    }

    /// Of a time that may be a matter of long gaps, what is told where another that is not must go the same way.
    pub(super) const fn only_as(self, other: Self) -> Self {
        match (self, other) {
            (Self::Slower(..), Self::Slower(..)) | (Self::Faster(..), Self::Faster(..)) => self,
            (Self::Slower(..) | Self::Faster(..), _) => Self::Waiting,
            _ => self,
        }
    }

    /// The same, and nothing is no more than nothing of both.
    pub(super) const fn both(self, other: Self) -> Self {
        match self {
            Self::Nothing if other.is_something() => Self::Waiting,
            _ => self.only_as(other),
        }
    }
}
