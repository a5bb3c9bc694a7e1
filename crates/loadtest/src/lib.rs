//! Load tests: what `ringway load` measures, and how it tells what it measured.
//!
//! A test takes a config, shows on a [`Progress`] how it goes, and gives a [`Report`]: figures with names, tables and plots. A report
//! is shown to people, to programs or as one page with plots, and [`Requirement`]s are held against its figures. Everything that a
//! test does is bounded, and it loads no other machine than this one unless somebody says so ([`Reach`]).

mod article;
mod beat;
mod bounds;
mod clients;
mod connect;
mod machine;
mod plan;
mod progress;
mod report;
pub mod ring;
mod send;
mod shown;
mod soak;
mod threshold;
mod traffic;

pub use article::{ArticleConfig, Step, StepError};
pub use bounds::{Reach, Remote};
pub use clients::{Identities, OtherGroup, Target, TargetError, Template, TemplateError, Way};
pub use connect::ConnectConfig;
pub use machine::{MetricsUrl, MetricsUrlError, Process, ProcessError};
pub use plan::{ClientsConfig, ClusterConfig, WatchConfig};
pub use progress::{Progress, bar};
pub use report::{
    Align, Bars, Cell, Column, Figure, Lines, Picture, Plot, Report, Scale, Series, Table, shown,
};
pub use send::SendConfig;
pub use soak::{ChurnConfig, SoakConfig};
pub use threshold::{Comparison, Requirement, RequirementError, UnknownFigure, Verdict, check_names};
pub use traffic::{Addressees, Cargo, Manner, Pace, STAMP_BYTES};
