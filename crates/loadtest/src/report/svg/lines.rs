//! Lines over an axis, with a grid that stays in the background.

use super::canvas::{Canvas, Px};
use super::scale::Axis;
use super::{COLOURS, WIDE};
use crate::report::Lines;

/// The plot's height, without the axis below it.
const HEIGHT: f64 = 230.0;

/// Room around it: above for the label, right for the last mark, below for the axis, left for the marks.
const TOP: f64 = 26.0;
const RIGHT: f64 = 22.0;
const BOTTOM: f64 = 44.0;
const LEFT: f64 = 58.0;

/// A plot of this width.
pub(crate) fn lines(plot: &Lines, width: f64) -> String {
    let mut canvas = Canvas::new(width, TOP + HEIGHT + BOTTOM);
    let marks = if width < WIDE { 4 } else { 8 };
    let all = || plot.series.iter().flat_map(|series| series.points.iter());
    let x_axis = Axis::of(plot.x_scale, all().map(|it| it.0), marks).tight(all().map(|it| it.0));
    let y_axis = Axis::of(plot.y_scale, all().map(|it| it.1), 5);
    let (inner, bottom) = (width - LEFT - RIGHT, TOP + HEIGHT);
    canvas.text("faint", (0.0, 12.0), &plot.y_label);
    for (place, told) in y_axis.marks(5) {
        let y = bottom - place * HEIGHT;
        canvas.line("grid", (LEFT, y), (LEFT + inner, y));
        canvas.text("end", (LEFT - 10.0, y + 4.0), told);
    }
    for (place, told) in x_axis.marks(marks) {
        let x = LEFT + place * inner;
        canvas.line("axis", (x, bottom), (x, bottom + 5.0));
        canvas.text("middle", (x, bottom + 20.0), told);
    }
    canvas.line("axis", (LEFT, bottom), (LEFT + inner, bottom));
    canvas.text("faint end", (LEFT + inner, bottom + 38.0), &plot.x_label);
    for (index, series) in plot.series.iter().enumerate() {
        let places = series.points.iter().filter_map(|(x, y)| Some((x_axis.place(*x)?, y_axis.place(*y)?)));
        let points: Vec<_> = places.map(|(x, y)| (LEFT + x * inner, bottom - y * HEIGHT)).collect();
        canvas.path(&format!("line s{}", index % COLOURS), path(&points));
    }
    canvas.inline(&plot.title)
}

/// Through these points. A single one is a dot: a line of no length with round ends.
fn path(points: &[(f64, f64)]) -> String {
    let line = if points.len() == 1 { [points, points].concat() } else { points.to_vec() };
    let step = |(index, (x, y)): (usize, &(f64, f64))| {
        format!("{}{} {}", if index == 0 { "M" } else { "L" }, Px(*x), Px(*y))
    };
    line.iter().enumerate().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Scale, Series};

    #[test]
    fn a_line_fills_its_frame() {
        let plot = Lines {
            title: "T".into(),
            x_label: "s".into(),
            x_scale: Scale::Linear,
            y_label: "ms".into(),
            y_scale: Scale::Linear,
            series: vec![Series::new("a", [(0.0, 0.0), (10.0, 100.0)]), Series::new("b", [(5.0, 50.0)])],
        };
        let svg = lines(&plot, 300.0);
        assert!(svg.contains("<path class=\"line s0\" d=\"M58 256L278 26\"/>"), "{svg}");
        assert!(svg.contains("<path class=\"line s1\" d=\"M168 141L168 141\"/>"), "{svg}");
    }
}
