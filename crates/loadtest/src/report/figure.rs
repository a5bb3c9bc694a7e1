//! One named value with its unit. The name ends with the unit where there is one, is made for `--require`, and never changes its meaning.

/// A named value.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Such as `latency_p99_ms`.
    pub(crate) name: String,
    /// None: it could not be measured.
    pub(crate) value: Option<f64>,
    /// Such as `ms`; nothing for counts and ratios.
    pub(crate) unit: &'static str,
    /// What it is, for people.
    pub(crate) meaning: String,
    /// Whether people see it in a table already: then it is for programs and for requirements only.
    pub(crate) is_in_table: bool,
}

impl Figure {
    /// A figure that was measured. What is no finite number counts as not measured.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str, meaning: impl Into<String>) -> Self {
        let value = Some(value).filter(|value| value.is_finite());
        Self { name: name.into(), value, unit, meaning: meaning.into(), is_in_table: false }
    }

    /// One that could not be measured.
    pub fn missing(name: impl Into<String>, unit: &'static str, meaning: impl Into<String>) -> Self {
        Self { name: name.into(), value: None, unit, meaning: meaning.into(), is_in_table: false }
    }

    /// The same figure, which people see in a table already.
    #[must_use]
    pub fn in_table(self) -> Self {
        Self { is_in_table: true, ..self }
    }

    /// The value as people read it, with its unit.
    pub(crate) fn told(&self) -> String {
        match (self.value, self.unit) {
            (None, _) => "not measured".to_owned(),
            (Some(value), "") => shown(value),
            (Some(value), unit) => format!("{} {unit}", shown(value)),
        }
    }
}

/// A number as people read it: four digits, and all of them before the point; groups of three.
pub fn shown(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let before = value.abs().log10().floor() as i32 + 1;
    let decimals = if value.fract() == 0.0 { 0 } else { (4 - before).clamp(0, 9) };
    decimal(value, decimals as usize, Zeros::Cut)
}

/// Whether zeros at the end stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeros {
    /// So that the numbers of a column stand below each other.
    Kept,
    /// They say nothing.
    Cut,
}

/// A number with so many decimals, and groups of three before the point.
pub(crate) fn decimal(value: f64, decimals: usize, zeros: Zeros) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let rest = if zeros == Zeros::Cut { rest.trim_end_matches('0') } else { rest };
    let first = digits.len() % 3;
    let mut grouped = format!("{sign}{}", &digits[..first]);
    for (index, group) in digits.as_bytes()[first..].chunks(3).enumerate() {
        if index > 0 || first > 0 {
            grouped.push(',');
        }
        grouped.extend(group.iter().map(|byte| char::from(*byte)));
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_four_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (5.0, "5"),
            (-5.5, "-5.5"),
            (0.000_123_456, "0.0001235"),
            (0.123_456, "0.1235"),
            (1.234_56, "1.235"),
            (123.456, "123.5"),
            (1_234.56, "1,235"),
            (999.96, "1,000"),
            (1_000.0, "1,000"),
            (-123_456.7, "-123,457"),
            (100_000_000.0, "100,000,000"),
        ] {
            assert_eq!(shown(value), expected);
        }
    }

    #[test]
    fn decimals_stand_below_each_other() {
        assert_eq!(decimal(1_000.5, 2, Zeros::Kept), "1,000.50");
        assert_eq!(decimal(0.0, 3, Zeros::Kept), "0.000");
    }

    #[test]
    fn what_could_not_be_measured_says_so() {
        let told = |figure: Figure| figure.told();
        assert_eq!(told(Figure::new("a", 1.5, "ms", "")), "1.5 ms");
        assert_eq!(told(Figure::new("a", 1.5, "", "")), "1.5");
        assert_eq!(told(Figure::new("a", f64::NAN, "ms", "")), "not measured");
        assert_eq!(told(Figure::missing("a", "ms", "")), "not measured");
    }
}
