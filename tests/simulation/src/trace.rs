//! What happened, in words. Written only when somebody will read it: a history that fails is run again with it.

/// A history's events, one a line.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(is_wanted: bool) -> Self {
        Trace { lines: is_wanted.then(Vec::new) }
    }

    pub(crate) fn add(&mut self, now: u64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{now:>7} {}", line()));
        }
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
