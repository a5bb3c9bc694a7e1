//! The document that describes the API: OpenAPI 3.1, written by hand, held by `tests/api`.

/// The document as it is.
pub(crate) const DOCUMENT: &str = include_str!("../openapi.json");
