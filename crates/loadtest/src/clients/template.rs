//! Names for many: a text with `{n}` for the number of a client and `{g}` for that of its group.

use std::str::FromStr;

/// A text with places for numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What comes before each place, and what the place is for.
    parts: Vec<(String, Place)>,
    end: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Client,
    Group,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{{{0}}} is no place for a number: there are {{n}}, a client's, and {{g}}, its group's")]
pub struct TemplateError(String);

impl Template {
    /// The text for a client of a group.
    pub fn fill(&self, client: usize, group: usize) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(self.end.len() + 16);
        for (before, place) in &self.parts {
            text.push_str(before);
            let number = match place {
                Place::Client => client,
                Place::Group => group,
            };
            // A string takes everything.
            let _ = write!(text, "{number}");
        }
        text.push_str(&self.end);
        text
    }

    /// Whether clients get different texts.
    pub fn tells_clients_apart(&self) -> bool {
        self.parts.iter().any(|(_, place)| *place == Place::Client)
    }

    /// Whether groups get different texts.
    pub fn tells_groups_apart(&self) -> bool {
        self.parts.iter().any(|(_, place)| *place == Place::Group)
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, end) = behind.split_once('}').ok_or_else(|| TemplateError(behind.to_owned()))?;
            let place = match name {
                "n" => Place::Client,
                "g" => Place::Group,
                other => return Err(TemplateError(other.to_owned())),
            };
            parts.push((before.to_owned(), place));
            rest = end;
        }
        Ok(Self { parts, end: rest.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<Template>().unwrap().fill(7, 3), expected);
        };
        check("user-{n}", "user-7");
        check("u{n}-g{g}", "u7-g3");
        check("{n}{n}", "77");
        check("alice", "alice");
        check("", "");
    }

    #[test]
    fn other_places_are_refused() {
        for text in ["{m}", "{", "a{n", "{}"] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_template_says_whom_it_tells_apart() {
        let template = |text: &str| text.parse::<Template>().unwrap();
        assert!(template("a{n}").tells_clients_apart() && !template("a{n}").tells_groups_apart());
        assert!(template("a{g}").tells_groups_apart() && !template("a{g}").tells_clients_apart());
    }
}
