//! The picture of the ring test, one strip for each strategy: the ring with its owners and with what one more node takes from them, a bar
//! for each node, and what moves when the nodes change.

mod bars;
mod colour;
mod moves;
mod wheel;

use ringway_ring::hash_of;

use super::spread::multiples;
use super::{Measured, Outcome};
use crate::report::svg::{COLOURS, Canvas, NARROW, WIDE};
use crate::report::{DRAWING, Picture, shown};
use bars::Bars;

/// Into how many parts the ring is cut for the picture.
const SECTORS: u64 = 180;

/// Loads beyond are cut off.
const LOAD_MAX: f64 = 2.5;

/// The loads that are always in the picture.
const LOAD_MIN: f64 = 1.25;

/// Above the strips of the file: what it shows.
const HEADER: f64 = 52.0;

/// A strip's height.
const STRIP_WIDE: f64 = 172.0;
const STRIP_NARROW: f64 = 266.0;

/// Around everything in the file.
const MARGIN: f64 = 28.0;

/// One strip of the picture, and where it is.
#[derive(Clone, Copy)]
struct Strip<'a> {
    outcome: &'a Outcome,
    measured: &'a Measured,
    /// Its number, which is its colour, too.
    number: usize,
    /// The upper left corner.
    x: f64,
    y: f64,
    /// The load at the upper end of the bars.
    top: f64,
}

/// A hash in each part of the ring. Not in the same place of each: the remainders of evenly spaced hashes are a pattern.
pub(super) fn places() -> impl Iterator<Item = u64> {
    const PART: u64 = u64::MAX / SECTORS;
    (0..SECTORS).map(|sector| sector * PART + hash_of(&sector.to_le_bytes()) % PART)
}

/// The picture in all its forms.
pub(super) fn picture(outcome: &Outcome) -> Picture {
    let strips = outcome.kinds.len() as f64;
    let top = top(outcome);
    let strip = |(number, measured), x, y| Strip { outcome, measured, number, x, y, top };
    let kinds = || outcome.kinds.iter().enumerate();
    let mut wide = Canvas::new(WIDE, strips * STRIP_WIDE + 22.0);
    kinds().for_each(|it| strip(it, 0.0, it.0 as f64 * STRIP_WIDE).wide(&mut wide));
    legend(&mut wide, (0.0, strips * STRIP_WIDE + 16.0), &LEGEND_WIDE);
    let mut narrow = Canvas::new(NARROW, strips * STRIP_NARROW + 52.0);
    kinds().for_each(|it| strip(it, 0.0, it.0 as f64 * STRIP_NARROW).narrow(&mut narrow));
    legend(&mut narrow, (0.0, strips * STRIP_NARROW + 12.0), &LEGEND_NARROW);
    let mut file = Canvas::new(WIDE + 2.0 * MARGIN, MARGIN + HEADER + strips * STRIP_WIDE + 2.0 * MARGIN);
    header(&mut file, outcome);
    kinds().for_each(|it| strip(it, MARGIN, MARGIN + HEADER + it.0 as f64 * STRIP_WIDE).wide(&mut file));
    legend(&mut file, (MARGIN, MARGIN + HEADER + strips * STRIP_WIDE + 22.0), &LEGEND_WIDE);
    let title = "Rings, nodes and movement";
    Picture {
        title: title.into(),
        wide: wide.inline(title),
        narrow: narrow.inline(title),
        document: Some(file.document(&told(outcome), DRAWING)),
    }
}

const LEGEND_WIDE: [&str; 1] = [
    "Outer ring: who owns each part of all hashes. Inner ring: what one node more takes over. Bars: loads of the nodes. Dashed lines and \
     strokes: ideal.",
];

const LEGEND_NARROW: [&str; 3] = [
    "Outer ring: who owns each part of all hashes.",
    "Inner ring: what one node more takes over.",
    "Right: keys that move. Below: loads. Dashed, strokes: ideal.",
];

fn legend(canvas: &mut Canvas, (x, y): (f64, f64), lines: &[&str]) {
    for (number, line) in lines.iter().enumerate() {
        canvas.text("faint small", (x, y + 16.0 * number as f64), line);
    }
}

fn header(canvas: &mut Canvas, outcome: &Outcome) {
    canvas.text("strong title", (MARGIN, MARGIN + 18.0), told(outcome));
    let what = "How evenly, and how many keys move when the nodes change, by strategy";
    canvas.text("", (MARGIN, MARGIN + 40.0), what);
}

fn told(outcome: &Outcome) -> String {
    format!("{} keys on {} nodes", shown(outcome.count as f64), outcome.cluster.nodes().len())
}

/// The same for all strips, so that they can be compared.
fn top(outcome: &Outcome) -> f64 {
    let highest = outcome.kinds.iter().map(|measured| measured.spread.max()).fold(LOAD_MIN, f64::max);
    (highest * 1.04).min(LOAD_MAX)
}

impl Strip<'_> {
    fn wide(&self, canvas: &mut Canvas) {
        let Self { x, y, .. } = *self;
        let spread = &self.measured.spread;
        let deviation = 100.0 * spread.stddev;
        if self.number > 0 {
            canvas.line("axis", (x, y), (x + WIDE, y));
        }
        self.wheel(canvas, (x + 68.0, y + 86.0), 64.0);
        canvas.text("strong", (x + 178.0, y + 27.0), self.measured.kind);
        let told = format!(
            "emptiest {:.3}, fullest {:.3}, std. dev. {:.2} %",
            spread.min(),
            spread.max(),
            deviation
        );
        canvas.text("end", (x + 560.0, y + 27.0), told);
        self.bars(canvas, (x + 178.0, y + 40.0), (382.0, 102.0));
        canvas.text("strong", (x + 620.0, y + 27.0), "keys that move");
        moves::draw(self, canvas, (x + 620.0, y + 38.0), WIDE - 620.0);
    }

    fn narrow(&self, canvas: &mut Canvas) {
        let Self { x, y, .. } = *self;
        let spread = &self.measured.spread;
        if self.number > 0 {
            canvas.line("axis", (x, y), (x + NARROW, y));
        }
        canvas.text("strong", (x, y + 24.0), self.measured.kind);
        let told =
            format!("{:.3} to {:.3}, std. dev. {:.2} %", spread.min(), spread.max(), 100.0 * spread.stddev);
        canvas.text("small end", (x + NARROW, y + 24.0), told);
        self.wheel(canvas, (x + 52.0, y + 90.0), 50.0);
        moves::draw(self, canvas, (x + 126.0, y + 30.0), NARROW - 126.0);
        self.bars(canvas, (x, y + 152.0), (NARROW, 78.0));
    }

    fn wheel(&self, canvas: &mut Canvas, centre: (f64, f64), radius: f64) {
        let nodes = self.outcome.cluster.nodes().len() + 1;
        wheel::draw(canvas, (centre, radius), &self.measured.around, nodes, self.colour());
        canvas.text(
            "ink middle big",
            (centre.0, centre.1 + 4.0),
            format_args!("{:.2}×", self.measured.spread.max()),
        );
        canvas.text("faint middle small", (centre.0, centre.1 + 19.0), "fullest");
    }

    fn bars(&self, canvas: &mut Canvas, at: (f64, f64), size: (f64, f64)) {
        let cluster = &self.outcome.cluster;
        let loads = multiples(&self.measured.loads[..cluster.nodes().len()], cluster);
        let names: Vec<_> = cluster.nodes().iter().map(|node| node.id.as_str()).collect();
        Bars { loads, names, top: self.top, colour: self.colour() }.draw(canvas, at, size);
    }

    fn colour(&self) -> usize {
        self.number % COLOURS
    }
}
