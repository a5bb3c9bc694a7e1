//! A bar for each node: its load as a multiple of what it should have. Many nodes stand in the order of their loads, as one shape.

use super::colour;
use crate::report::shown;
use crate::report::svg::{Canvas, Px};

/// Up to so many nodes each has a bar of its own.
const SINGLE_MAX: usize = 64;

/// Room on the left for the numbers of the axis.
const AXIS: f64 = 30.0;

/// About how wide a character of a name is.
const CHARACTER: f64 = 6.4;

/// The bars of one strategy.
pub(super) struct Bars<'a> {
    pub(super) loads: Vec<f64>,
    pub(super) names: Vec<&'a str>,
    /// The load at the upper end.
    pub(super) top: f64,
    /// Of the shape, for many nodes.
    pub(super) colour: usize,
}

impl Bars<'_> {
    /// Draws them into a box; the names are below it.
    pub(super) fn draw(&self, canvas: &mut Canvas, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let (left, bottom, width) = (x + AXIS, y + height, width - AXIS);
        let at = |load: f64| bottom - load.min(self.top) / self.top * height;
        for load in [0.0, 0.5, 1.0, 1.5, 2.0, 2.5].into_iter().filter(|load| *load <= self.top) {
            let class = if load == 0.0 { "axis" } else { "grid" };
            canvas.line(class, (left, at(load)), (left + width, at(load)));
            canvas.text("faint small end", (left - 7.0, at(load) + 4.0), shown(load));
        }
        if self.loads.len() <= SINGLE_MAX {
            self.single(canvas, (left, bottom, width), at);
        } else {
            self.shape(canvas, (left, bottom, width), at);
        }
        let (ideal, right) = (Px(at(1.0)), Px(left + width));
        canvas.element(format_args!(
            "<path class=\"mark\" d=\"M{} {ideal}H{right}\" style=\"stroke-dasharray:3 3;stroke-width:1\"/>",
            Px(left)
        ));
    }

    fn single(&self, canvas: &mut Canvas, (left, bottom, width): (f64, f64, f64), at: impl Fn(f64) -> f64) {
        let step = width / self.loads.len() as f64;
        let gap = (step * 0.22).min(8.0);
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        // Every name, or every second one, and so on, so that they do not run into each other.
        let named_each = ((longest as f64 + 1.0) * CHARACTER / step).ceil().max(1.0) as usize;
        for (node, load) in self.loads.iter().enumerate() {
            let (start, upper) = (left + node as f64 * step + gap / 2.0, at(*load));
            let (bar, round) = (step - gap, (step - gap).min(6.0).min(bottom - upper) / 2.0);
            let colour = colour::of(node, self.loads.len() + 1);
            canvas.element(format_args!(
                "<path d=\"M{start:.1} {bottom:.1}V{:.1}q0 -{round:.1} {round:.1} -{round:.1}h{:.1}q{round:.1} 0 {round:.1} {round:.1}V{bottom:.1}z\" \
                 style=\"fill:{colour}\"/>",
                upper + round,
                (bar - 2.0 * round).max(0.0),
            ));
            if node % named_each == 0 {
                canvas.text("faint small middle", (start + bar / 2.0, bottom + 15.0), self.names[node]);
            }
        }
    }

    /// Steps from the emptiest to the fullest.
    fn shape(&self, canvas: &mut Canvas, (left, bottom, width): (f64, f64, f64), at: impl Fn(f64) -> f64) {
        let mut loads = self.loads.clone();
        loads.sort_by(f64::total_cmp);
        let step = width / loads.len() as f64;
        let stair =
            |(node, load): (usize, &f64)| format!("V{:.1}H{:.1}", at(*load), left + (node + 1) as f64 * step);
        let stairs: String = loads.iter().enumerate().map(stair).collect();
        canvas.path(
            &format!("soft f{}", self.colour),
            format_args!("M{left:.1} {bottom:.1}{stairs}V{bottom:.1}z"),
        );
        let told = format!("{} nodes, from the emptiest to the fullest", loads.len());
        canvas.text("faint small", (left, bottom + 15.0), told);
    }
}
