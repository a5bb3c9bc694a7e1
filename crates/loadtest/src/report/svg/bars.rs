//! Bars from left to right, one below the other: their names may be long, and they fit on a phone.

use super::WIDE;
use super::canvas::Canvas;
use crate::report::{Bars, shown};

/// The distance from bar to bar, and the height of one.
const STEP: f64 = 30.0;
const THICKNESS: f64 = 14.0;

/// Room for a value behind its bar.
const VALUE: f64 = 96.0;

/// About how wide a character is.
const CHARACTER: f64 = 7.0;

/// A plot of this width. On a narrow one names stand above their bars.
pub(crate) fn bars(plot: &Bars, width: f64) -> String {
    let is_wide = width >= WIDE;
    let longest = plot.bars.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let (left, step) = if is_wide { (longest as f64 * CHARACTER + 16.0, STEP) } else { (0.0, STEP + 14.0) };
    let highest = plot.bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let room = width - left - VALUE;
    let mut canvas = Canvas::new(width, step * plot.bars.len() as f64 + 4.0);
    for (index, (name, value)) in plot.bars.iter().enumerate() {
        let middle = step * index as f64 + if is_wide { STEP / 2.0 } else { STEP / 2.0 + 16.0 };
        let length = if highest > 0.0 { (value / highest * room).max(1.5) } else { 1.5 };
        let at = if is_wide { (left - 12.0, middle + 4.0) } else { (0.0, middle - 12.0) };
        canvas.text(if is_wide { "end" } else { "start" }, at, name);
        canvas.path("f0", bar((left, middle - THICKNESS / 2.0), length));
        let told = format!("{} {}", shown(*value), plot.unit);
        canvas.text("ink", (left + length + 8.0, middle + 4.0), told.trim_end());
    }
    canvas.inline(&plot.title)
}

/// A bar with round corners at its end.
fn bar((x, y): (f64, f64), length: f64) -> String {
    let round = (length / 2.0).min(4.0);
    let (straight, side) = (length - round, THICKNESS - 2.0 * round);
    format!(
        "M{x:.1} {y:.1}h{straight:.1}q{round} 0 {round} {round}v{side}q0 {round} -{round} {round}h-{straight:.1}z"
    )
}
