//! Runs the `perfgate` binary on a terminal that is none: a pseudo-terminal, and what would be seen on it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::{
    fs::File,
    io::Read,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use nix::pty::{Winsize, openpty};

/// A process on a terminal.
pub(crate) struct OnTerminal {
    pub(crate) child: Child,
    written: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl OnTerminal {
    /// Starts a command with standard output and standard error on a terminal of so many columns and lines.
    pub(crate) fn start(mut command: Command, (columns, lines): (u16, u16)) -> Self {
        let size = Winsize {
            ws_row: lines,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(pty.slave.try_clone().unwrap())
            .stderr(pty.slave);
        let child = command.spawn().unwrap();
        // The command holds the terminal open until it is gone.
        drop(command);
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut master, into) = (File::from(pty.master), Arc::clone(&written));
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The end is an error here: nobody has the other side open any more.
            while let Ok(count) = master.read(&mut buffer) {
                if count == 0 {
                    break;
                }
                into.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { child, written, reader }
    }

    /// All that was written so far.
    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// Waits for the end; gives how it ended, and all that was written.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.reader.join().unwrap();
        let written = self.written.lock().unwrap();
        (status, String::from_utf8_lossy(&written).into_owned())
    }
}

/// What stands on a terminal after all of this was written: lines as far as they were ever used.
///
/// Knows what perfgate writes: line ends, cursor up, erasing to the end of line and screen, colours.
pub(crate) fn screen(written: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut signs = written.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{1b}' => {
                assert_eq!(signs.next(), Some('['), "an escape that is not ours");
                let mut number = String::new();
                let command = loop {
                    match signs.next() {
                        Some(sign) if sign.is_ascii_alphabetic() => break sign,
                        Some(sign) => number.push(sign),
                        None => break ' ',
                    }
                };
                match command {
                    'A' => row = row.saturating_sub(number.parse().unwrap()),
                    'K' => lines[row].truncate(column),
                    'J' => {
                        lines.truncate(row + 1);
                        lines[row].truncate(column);
                    }
                    'm' => {}
                    'h' | 'l' => assert_eq!(number, "?2026", "a mode that would have to be set back"),
                    other => unreachable!("escape `{number}{other}`"),
                }
            }
            sign => {
                if column == columns {
                    (row, column) = (row + 1, 0);
                }
                while lines.len() <= row {
                    lines.push(Vec::new());
                }
                let line = &mut lines[row];
                while line.len() <= column {
                    line.push(' ');
                }
                line[column] = sign;
                column += 1;
            }
        }
        while lines.len() <= row {
            lines.push(Vec::new());
        }
    }
    lines
        .into_iter()
        .map(|line| line.into_iter().collect::<String>().trim_end().to_owned())
        .collect()
}
