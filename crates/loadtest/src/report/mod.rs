//! What a test has measured, as data: figures with names, tables, plots and pictures in the order in which they are to be read. It says
//! nothing about how they are shown: `text` shows them to people at a terminal, `json` to programs, `html` on one page with plots.

mod figure;
mod html;
mod json;
mod plot;
pub(crate) mod svg;
mod table;
mod text;

pub use figure::{Figure, shown};
pub(crate) use html::DRAWING;
pub use plot::{Bars, Lines, Picture, Plot, Scale, Series};
pub use table::{Align, Cell, Column, Table};

/// What a test has measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The test's name, as in `ringway load NAME`.
    pub(crate) test: &'static str,
    /// What it is, for people.
    pub(crate) title: String,
    /// How it was measured: names and values.
    pub(crate) facts: Vec<(String, String)>,
    /// What is to be known before the figures are believed.
    pub(crate) notes: Vec<String>,
    /// The figures by which requirements are judged.
    pub(crate) figures: Vec<Figure>,
    pub(crate) tables: Vec<Table>,
    pub(crate) plots: Vec<Plot>,
}

impl Report {
    /// One without anything in it.
    pub fn new(test: &'static str, title: impl Into<String>) -> Self {
        Self {
            test,
            title: title.into(),
            facts: Vec::new(),
            notes: Vec::new(),
            figures: Vec::new(),
            tables: Vec::new(),
            plots: Vec::new(),
        }
    }

    /// How it was measured: what was asked for, on what.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// Something that is to be known before the figures are believed.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// One more figure. Its name must not be there yet.
    #[must_use]
    pub fn figure(mut self, figure: Figure) -> Self {
        debug_assert!(
            self.figures.iter().all(|other| other.name != figure.name),
            "{} is there twice",
            figure.name
        );
        self.figures.push(figure);
        self
    }

    /// One more table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }

    /// One more plot.
    #[must_use]
    pub fn plot(mut self, plot: impl Into<Plot>) -> Self {
        self.plots.push(plot.into());
        self
    }

    /// The picture that stands in a file of its own, if the test draws one.
    pub fn to_svg(&self) -> Option<&str> {
        self.plots.iter().find_map(|plot| match plot {
            Plot::Picture(picture) => picture.document.as_deref(),
            Plot::Lines(_) | Plot::Bars(_) => None,
        })
    }

    /// The value of the figure of this name, if it could be measured.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name)?.value
    }
}
