//! The ring: outside the owner of each part, inside the parts that get another owner when a node is added.

use std::fmt::Write as _;

use super::colour;
use crate::report::svg::{Canvas, Px};

/// How wide the outer ring and the inner one are, as parts of the radius, and how far apart.
const OUTER: f64 = 0.17;
const INNER: f64 = 0.075;
const GAP: f64 = 0.07;

/// How far parts overlap, in degrees, so that no paper shines through between them.
const OVERLAP: f64 = 0.2;

/// Draws it for owners now and after, of so many nodes.
pub(super) fn draw(
    canvas: &mut Canvas,
    (centre, radius): ((f64, f64), f64),
    around: &[[u16; 2]],
    nodes: usize,
    colour: usize,
) {
    let circle = |radius| Circle { centre, radius, parts: around.len() };
    let outer = circle(radius * (1.0 - OUTER / 2.0));
    for node in 0..nodes {
        let arcs = outer.arcs(around, |[now, _]| usize::from(*now) == node);
        if !arcs.is_empty() {
            let (colour, width) = (colour::of(node, nodes), Px(radius * OUTER));
            canvas.element(format_args!(
                "<path d=\"{arcs}\" style=\"fill:none;stroke:{colour};stroke-width:{width}\"/>"
            ));
        }
    }
    let inner = circle(radius * (1.0 - OUTER - GAP - INNER / 2.0));
    let width = Px(radius * INNER);
    for (class, arcs) in [
        ("grid".to_owned(), inner.arcs(around, |[now, after]| now == after)),
        (format!("s{colour}"), inner.arcs(around, |[now, after]| now != after)),
    ] {
        canvas.element(format_args!(
            "<path class=\"{class}\" d=\"{arcs}\" style=\"fill:none;stroke-width:{width}\"/>"
        ));
    }
}

struct Circle {
    centre: (f64, f64),
    radius: f64,
    parts: usize,
}

impl Circle {
    /// An arc for each run of parts that are to be drawn.
    fn arcs(&self, around: &[[u16; 2]], is_drawn: impl Fn(&[u16; 2]) -> bool) -> String {
        let (mut arcs, mut start) = (String::new(), None);
        for part in 0..=self.parts {
            match (start, around.get(part).is_some_and(&is_drawn)) {
                (None, true) => start = Some(part),
                (Some(first), false) => {
                    self.arc(&mut arcs, first, part);
                    start = None;
                }
                _ => {}
            }
        }
        arcs
    }

    fn arc(&self, arcs: &mut String, first: usize, end: usize) {
        // A whole circle would begin where it ends, and be nothing.
        if end - first == self.parts {
            self.arc(arcs, first, end / 2);
            return self.arc(arcs, end / 2, end);
        }
        let degrees = |part: usize| 360.0 * part as f64 / self.parts as f64 - 90.0;
        let (from, to) = (self.at(degrees(first)), self.at(degrees(end) + OVERLAP));
        let (radius, is_large) = (Px(self.radius), u8::from(2 * (end - first) > self.parts));
        // Writing into a string cannot fail.
        let _ = write!(
            arcs,
            "M{:.2} {:.2}A{radius} {radius} 0 {is_large} 1 {:.2} {:.2}",
            from.0, from.1, to.0, to.1
        );
    }

    fn at(&self, degrees: f64) -> (f64, f64) {
        let (sin, cos) = degrees.to_radians().sin_cos();
        (self.centre.0 + self.radius * cos, self.centre.1 + self.radius * sin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_one_arc() {
        let circle = Circle { centre: (0.0, 0.0), radius: 10.0, parts: 8 };
        let around: Vec<[u16; 2]> = [0, 0, 1, 0, 1, 1, 1, 0].map(|owner| [owner, 2]).to_vec();
        let count = |owner| circle.arcs(&around, |[now, _]| *now == owner).matches('A').count();
        assert_eq!([count(0), count(1), count(2)], [3, 2, 0]);
        assert_eq!(circle.arcs(&around, |_| true).matches('A').count(), 2);
    }
}
