//! Drawing plots as SVG, without a library: a plot is laid out anew for the width that it gets, so that text has the same size on every
//! screen. Colours are classes of `report.css`.

mod bars;
mod canvas;
mod lines;
mod scale;

pub(crate) use bars::bars;
pub(crate) use canvas::{Canvas, Px, escape};
pub(crate) use lines::lines;

/// The width of a plot for wide screens, in pixels.
pub(crate) const WIDE: f64 = 920.0;

/// The width of one for phones.
pub(crate) const NARROW: f64 = 360.0;

/// How many colours there are for lines.
pub(crate) const COLOURS: usize = 8;
