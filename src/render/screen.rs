//! How text for a terminal is set. What the terminal can show is the caller's to find out.

/// How text for a terminal is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Whether colour is wanted and understood.
    pub color: bool,
    /// Columns.
    pub width: u16,
    /// Whether tables show every column, whatever room there is: nothing in them is wrapped.
    pub is_wide: bool,
    /// Whether only what is a problem is listed, with a line that says what was left out.
    pub only_problems: bool,
}

impl Screen {
    /// A terminal of so many columns.
    pub fn of(color: bool, width: u16) -> Self {
        Self {
            color,
            width,
            ..Self::default()
        }
    }
}

impl Default for Screen {
    /// No terminal: no colour, and lines as long as a CI log shows them.
    fn default() -> Self {
        Self {
            color: false,
            width: 140,
            is_wide: false,
            only_problems: false,
        }
    }
}
