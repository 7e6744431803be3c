//! The `perfgate` command.

fn main() {}
