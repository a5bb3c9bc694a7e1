//! Load tests: what `ringway load` measures, and how it tells what it measured.
//!
//! A test takes a config, shows on a [`Progress`] how it goes, and gives a [`Report`]: figures with names, tables and plots. A report
//! is shown to people, to programs or as one page with plots, and [`Requirement`]s are held against its figures. Everything that a
//! test does is bounded, and it loads no other machine than this one unless somebody says so ([`Reach`]).

mod bounds;
mod progress;
mod report;
pub mod ring;
mod threshold;

pub use bounds::{Reach, Remote};
pub use progress::{Progress, bar};
pub use report::{
    Align, Bars, Cell, Column, Figure, Lines, Picture, Plot, Report, Scale, Series, Table, shown,
};
pub use threshold::{Comparison, Requirement, RequirementError, UnknownFigure, Verdict, check_names};
