//! The query of a URL: its parameters, of which only those that mean something are taken.

use crate::refusal::Refusal;
use crate::route::decode;

/// The values of the parameters with these names, in their order. What is unknown or given twice is refused.
pub(crate) fn parameters<const N: usize>(
    query: Option<&str>,
    names: [&str; N],
) -> Result<[Option<String>; N], Refusal> {
    let mut values = [const { None }; N];
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(&name.replace('+', "%20"))?, decode(&value.replace('+', "%20"))?);
        let Some(place) = names.iter().position(|known| *known == name) else {
            return Err(unknown(&name, &names));
        };
        if values[place].replace(value).is_some() {
            return Err(Refusal::Invalid(format!("the query parameter `{name}` is given twice")));
        }
    }
    Ok(values)
}

fn unknown(name: &str, names: &[&str]) -> Refusal {
    let told = match names {
        [] => "there is none here".to_owned(),
        names => format!("there is `{}`", names.join("`, `")),
    };
    Refusal::Invalid(format!("there is no query parameter {name:?}; {told}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_by_name() {
        let both = |code: &str, reason: &str| Ok([Some(code.to_owned()), Some(reason.to_owned())]);
        let cases = [
            (None, Ok([None, None])),
            (Some(""), Ok([None, None])),
            (Some("code=4401&reason=see%20you+soon"), both("4401", "see you soon")),
            (Some("reason=&code=1"), both("1", "")),
            (Some("reason&code=1"), both("1", "")),
            (Some("code=1&code=2"), Err("`code` is given twice")),
            (Some("colour=red"), Err("no query parameter \"colour\"; there is `code`, `reason`")),
            (Some("code=%"), Err("`%25`")),
        ];
        for (query, expected) in cases {
            match (parameters(query, ["code", "reason"]), expected) {
                (Ok(values), Ok(expected)) => assert_eq!(values, expected, "{query:?}"),
                (Err(refusal), Err(words)) => assert!(refusal.to_string().contains(words), "{refusal}"),
                (got, _) => panic!("{query:?}: {got:?}"),
            }
        }
        assert!(parameters(Some("a"), []).unwrap_err().to_string().contains("there is none here"));
    }
}
