//! The `perfgate` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(perfgate::cli::main(std::env::args_os()))
}
