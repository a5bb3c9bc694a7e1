//! What moves when the nodes change: a bar for each change, from nothing to all keys, with a stroke where the ideal is.

use super::Strip;
use crate::report::svg::{Canvas, Px};
use crate::ring::cluster::Change;

/// From one change to the next.
const STEP: f64 = 39.0;

/// How thick a bar is.
const THICKNESS: f64 = 9.0;

/// Draws them from here on, so wide.
pub(super) fn draw(strip: &Strip<'_>, canvas: &mut Canvas, (x, y): (f64, f64), width: f64) {
    let changes = Change::ALL.into_iter().zip(strip.measured.moved);
    for (number, (change, moved)) in changes.enumerate() {
        let (y, cluster) = (y + STEP * number as f64, &strip.outcome.cluster);
        let ideal = cluster.ideal(change);
        canvas.text("", (x, y + 13.0), cluster.told(change));
        canvas.text("ink end", (x + width, y + 13.0), format_args!("{:.2} %", 100.0 * moved));
        let track = |class: &str, length: f64| {
            let (x, y, length, thickness) = (Px(x), Px(y + 20.0), Px(length), Px(THICKNESS));
            format!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{length}\" height=\"{thickness}\" rx=\"4\"/>"
            )
        };
        canvas.element(track("track", width));
        canvas.element(track(
            &format!("f{}", strip.colour()),
            (moved * width).max(if moved > 0.0 { 2.0 } else { 0.0 }),
        ));
        let at = x + ideal * width;
        canvas.line("mark ideal", (at, y + 17.0), (at, y + 23.0 + THICKNESS));
    }
}
