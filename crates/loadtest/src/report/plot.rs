//! What is drawn, as data: lines over time or over percentiles, bars, and pictures that a test draws by itself.

/// Something that is drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Plot {
    /// Values over something.
    Lines(Lines),
    /// Values side by side.
    Bars(Bars),
    /// Drawn by the test.
    Picture(Picture),
}

/// Values over time, or over percentiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// What it shows.
    pub title: String,
    /// What is on the axis below, with its unit: `seconds`.
    pub x_label: String,
    /// How that axis is divided.
    pub x_scale: Scale,
    /// What the values are, with their unit: `latency, ms`.
    pub y_label: String,
    /// How their axis is divided.
    pub y_scale: Scale,
    /// The lines, in the order of their legend. Eight have colours of their own.
    pub series: Vec<Series>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points from left to right.
    pub points: Vec<(f64, f64)>,
}

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from 0.
    Linear,
    /// By powers of ten. Values that are not above 0 are left out.
    Log,
    /// Quantiles, 0 to 1, by their nines: 90 %, 99 %, 99.9 %, … have the same distance.
    Nines,
}

/// Values side by side, each with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// What it shows.
    pub title: String,
    /// The unit of the values; may be empty.
    pub unit: &'static str,
    /// Names and values, from top to bottom.
    pub bars: Vec<(String, f64)>,
}

/// SVG documents of one thing. They may use the classes of `report.css` and no resources from elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// What it shows.
    pub title: String,
    /// For wide screens.
    pub wide: String,
    /// For phones.
    pub narrow: String,
    /// As a file of its own.
    pub document: Option<String>,
}

impl Plot {
    pub(crate) fn title(&self) -> &str {
        match self {
            Self::Lines(Lines { title, .. })
            | Self::Bars(Bars { title, .. })
            | Self::Picture(Picture { title, .. }) => title,
        }
    }
}

impl Series {
    /// A line through these points.
    pub fn new(name: impl Into<String>, points: impl Into<Vec<(f64, f64)>>) -> Self {
        Self { name: name.into(), points: points.into() }
    }
}

impl From<Lines> for Plot {
    fn from(lines: Lines) -> Self {
        Self::Lines(lines)
    }
}

impl From<Bars> for Plot {
    fn from(bars: Bars) -> Self {
        Self::Bars(bars)
    }
}

impl From<Picture> for Plot {
    fn from(picture: Picture) -> Self {
        Self::Picture(picture)
    }
}
