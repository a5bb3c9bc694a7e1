//! The configuration as text for people: what is in force, and the page that explains every setting.

use std::fmt::Write as _;

use super::SECTIONS;
use super::reader::Effective;
use super::value::Origin;

/// The settings in force, as a TOML file: what is not the default says where it was made, what is not set stands in a
/// comment. Secrets are hidden.
pub(crate) fn show(effective: &[Effective]) -> String {
    let mut text = String::new();
    for (section, _, keys) in SECTIONS {
        let gap = if text.is_empty() { "" } else { "\n" };
        write_line(&mut text, format_args!("{gap}[{section}]"));
        for key in keys.iter() {
            let Some(setting) = effective.iter().find(|setting| setting.key.name == key.name) else {
                continue;
            };
            let origin = match &setting.origin {
                Origin::Default => String::new(),
                origin => format!("  # {origin}"),
            };
            match &setting.value {
                Some(value) => write_line(&mut text, format_args!("{} = {value}{origin}", key.leaf())),
                None => write_line(&mut text, format_args!("# {} is not set", key.leaf())),
            }
        }
    }
    text
}

/// The same for programs: each setting with its value, `null` where it is not set, and where it was made.
pub(crate) fn to_json(effective: &[Effective]) -> serde_json::Value {
    let setting = |setting: &Effective| {
        let told = serde_json::json!({ "value": setting.value, "origin": setting.origin.to_string() });
        (setting.key.name.to_owned(), told)
    };
    effective.iter().map(setting).collect::<serde_json::Map<_, _>>().into()
}

/// A configuration file with every setting explained and commented out, at its default.
pub(crate) fn template(defaults: &[Effective]) -> String {
    let mut text = String::new();
    for (section, about, keys) in SECTIONS {
        let gap = if text.is_empty() { "" } else { "\n" };
        write_line(&mut text, format_args!("{gap}{}[{section}]", comment(about)));
        for key in keys.iter() {
            write_line(&mut text, format_args!("\n{}# ({})", comment(key.about), key.type_text()));
            let default = defaults.iter().find(|setting| setting.key.name == key.name);
            match default.and_then(|setting| setting.value.as_ref()) {
                Some(value) => write_line(&mut text, format_args!("#{} = {value}", key.leaf())),
                None => write_line(&mut text, format_args!("# Not set. {} = {}", key.leaf(), key.example)),
            }
        }
    }
    text
}

fn comment(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("# {}\n", line.trim())).collect()
}

/// The tables of `docs/configuration.md`: every section, every key.
#[cfg(test)]
pub(super) fn reference() -> String {
    let mut text = String::new();
    for (section, about, keys) in SECTIONS {
        write_line(&mut text, format_args!("## `[{section}]`\n\n{}\n", prose(about)));
        write_line(&mut text, format_args!("| key | default | what it is |\n| --- | --- | --- |"));
        for key in keys.iter() {
            let default =
                if key.default.is_empty() { "not set".to_owned() } else { format!("`{}`", key.default) };
            let about = prose(key.about);
            write_line(
                &mut text,
                format_args!("| `{}` | {default} | {about} *({})* |", key.leaf(), key.type_text()),
            );
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
fn prose(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn write_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
