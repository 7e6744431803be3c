//! `perfgate watch`: a measurement of another process, on this terminal.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    painter::{Painter, size_of_stdout},
    print, resolve_with,
    screen::{has_color, is_dumb},
    variable,
};
use crate::{
    commands::{CommandError, Done, watch},
    config::Overrides,
    render::{LEAST_VIEW, LiveLine, live_line, live_view},
};

/// Time between two lines where there is no terminal to draw on.
const LOG: Duration = Duration::from_secs(10);
/// A page for whoever asks once.
const PAGE: (u16, u16) = (140, u16::MAX);

#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// The session file that is measured into [default: `output` of the configuration, else session.json]
    #[arg(value_name = "SESSION")]
    session: Option<PathBuf>,
    /// Print what there is now, and end.
    #[arg(long)]
    once: bool,
    /// Configuration file [default: perfgate.yaml where it exists] [env: `PERFGATE_CONFIG`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs `watch`.
pub(super) fn watch(args: &WatchArgs) -> Result<Done, CommandError> {
    let session = match &args.session {
        Some(session) => session.clone(),
        None => resolve_with(args.config.as_deref(), &Overrides::new())?.settings.output,
    };
    let is_terminal = io::stdout().is_terminal();
    let color = has_color(is_terminal, &variable);
    if args.once {
        let room = size_of_stdout().map_or(PAGE, |(columns, _)| (columns, PAGE.1));
        let look = watch::look_once(&session)?;
        let view = live_view(&look.live, room, color).into_iter().map(|line| line.text);
        let lines: String = view.chain(look.silence).map(|line| line + "\n").collect();
        return Ok(Done {
            text: lines,
            exit_code: look.exit_code,
        });
    }
    if is_terminal && !is_dumb(&variable) {
        on_terminal(&session, color)
    } else {
        in_lines(&session)
    }
}

fn on_terminal(session: &Path, color: bool) -> Result<Done, CommandError> {
    let mut painter = Painter::new(io::stdout());
    let done = watch::watch(session, &mut |look| {
        let room = size_of_stdout().unwrap_or(LEAST_VIEW);
        let mut view = live_view(&look.live, room, color);
        if let Some(silence) = &look.silence {
            // In the place of the last line where all are taken.
            view.truncate(usize::from(room.1).saturating_sub(2));
            view.push(LiveLine::plain(silence, room.0));
        }
        painter.draw(view, room.0);
    });
    painter.clear(size_of_stdout().unwrap_or(LEAST_VIEW).0);
    done
}

fn in_lines(session: &Path) -> Result<Done, CommandError> {
    let mut logged: Option<Instant> = None;
    watch::watch(session, &mut |look| {
        if logged.is_none_or(|logged| logged.elapsed() >= LOG) {
            logged = Some(Instant::now());
            print(&live_line(&look.live));
            look.silence.iter().for_each(|silence| {
                print(silence);
            });
        }
    })
}
