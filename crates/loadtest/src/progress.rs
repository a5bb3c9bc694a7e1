//! How a test goes, while it goes: one line on stderr that is written over again and again. Where stderr is no terminal nobody watches,
//! and nothing is written.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};

use rustix::termios::tcgetwinsize;

/// The width of a terminal that does not say how wide it is.
const WIDTH_UNKNOWN: usize = 80;

/// How wide a bar is, in characters.
const BAR_WIDTH: usize = 24;

/// To the beginning of the line, and everything behind it away (ECMA-48, CR and EL).
const CLEAR: &str = "\r\x1b[K";

/// The line. Dropping it leaves the terminal as it was.
#[derive(Debug)]
pub struct Progress<W: Write = io::Stderr> {
    to: Option<W>,
    width: fn() -> usize,
    is_shown: bool,
}

impl Progress {
    /// On stderr, if that is a terminal.
    pub fn on_stderr() -> Self {
        let to = io::stderr().is_terminal().then(io::stderr);
        Self { to, width: terminal_width, is_shown: false }
    }

    /// Nowhere.
    pub fn silent() -> Self {
        Self { to: None, width: terminal_width, is_shown: false }
    }
}

impl<W: Write> Progress<W> {
    /// Puts this in the place of what was shown. What is wider than the terminal is cut off.
    pub fn show(&mut self, text: impl Display) {
        let Some(to) = &mut self.to else { return };
        // A line as wide as the terminal would wrap in some of them.
        let room = (self.width)().saturating_sub(1);
        let text: String = text.to_string().chars().filter(|char| !char.is_control()).take(room).collect();
        // A terminal that has gone away is nobody to tell it.
        let _ = write!(to, "{CLEAR}{text}").and_then(|()| to.flush());
        self.is_shown = true;
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if let Some(to) = &mut self.to
            && std::mem::take(&mut self.is_shown)
        {
            // As in `show`.
            let _ = to.write_all(CLEAR.as_bytes()).and_then(|()| to.flush());
        }
    }
}

impl<W: Write> Drop for Progress<W> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A bar for what is done by a known part, 0 to 1: `███████▌         31 %`.
pub fn bar(part: f64) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let part = part.clamp(0.0, 1.0);
    let filled = (part * (8 * BAR_WIDTH) as f64) as usize;
    let mut bar = "█".repeat(filled / 8);
    if filled / 8 < BAR_WIDTH {
        bar.push(EIGHTHS[filled % 8]);
    }
    format!("{bar:<BAR_WIDTH$} {:>3.0} %", 100.0 * part)
}

fn terminal_width() -> usize {
    let size = tcgetwinsize(io::stderr()).ok().map(|size| usize::from(size.ws_col));
    size.filter(|width| *width > 0).unwrap_or(WIDTH_UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(act: impl FnOnce(&mut Progress<&mut Vec<u8>>)) -> String {
        let mut bytes = Vec::new();
        let mut progress = Progress { to: Some(&mut bytes), width: || 8, is_shown: false };
        act(&mut progress);
        drop(progress);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_takes_the_place_of_the_one_before_and_is_gone_in_the_end() {
        assert_eq!(written(|_| {}), "");
        assert_eq!(written(|line| line.show("one")), "\r\x1b[Kone\r\x1b[K");
        let two = written(|line| {
            line.show("one");
            line.clear();
            line.clear();
            line.show("two\nthree");
        });
        assert_eq!(two, "\r\x1b[Kone\r\x1b[K\r\x1b[Ktwothre\r\x1b[K");
    }

    #[test]
    fn without_a_terminal_nothing_is_kept() {
        let mut silent = Progress::silent();
        silent.show("nobody");
        assert!(!silent.is_shown);
    }

    #[test]
    fn bars_are_of_one_width() {
        for (part, filled, percent) in [
            (-1.0, "", "  0 %"),
            (0.0, "", "  0 %"),
            (0.5, "████████████", " 50 %"),
            (2.0, &*"█".repeat(24), "100 %"),
        ] {
            let bar = bar(part);
            assert_eq!(bar.chars().count(), BAR_WIDTH + 6, "{bar}");
            assert_eq!(bar.trim_end_matches(percent).trim_end(), filled, "{bar}");
        }
        assert!(bar(0.022).starts_with('▌'));
    }
}
