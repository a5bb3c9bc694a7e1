//! What a section of the configuration is made of. A section is declared once, by the macro [`section!`]: its fields
//! with their types, defaults, bounds and meaning. The struct, the reading, `check-config --show`,
//! `--template` and `docs/configuration.md` all come from that declaration, so they cannot disagree.

use super::reader::Reader;

/// One setting, as people know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Its full name: `gateway.listen`.
    pub(crate) name: &'static str,
    /// What it means, line by line.
    pub(crate) about: &'static [&'static str],
    /// What it must be.
    pub(crate) expected: &'static str,
    /// A value that is right, as it is written in a file.
    pub(crate) example: &'static str,
    /// What it is when nobody sets it, as in the environment; empty: not set.
    pub(crate) default: &'static str,
    /// The smallest and the largest value allowed, where there are such.
    pub(crate) bounds: Option<(&'static str, &'static str)>,
}

impl Key {
    /// The environment variable that sets it: `gateway.listen` is `RINGWAY_GATEWAY_LISTEN`.
    pub(crate) fn variable(&self) -> String {
        format!("RINGWAY_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// Its type and bounds in words.
    pub(crate) fn type_text(&self) -> String {
        match self.bounds {
            Some((min, max)) => format!("{} from {min} to {max}", self.expected),
            None => self.expected.to_owned(),
        }
    }

    /// Its name inside its section.
    pub(crate) fn leaf(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, leaf)| leaf)
    }
}

/// A group of settings that stand together.
pub(crate) trait Section: Sized {
    /// Its name: `gateway`.
    const NAME: &'static str;
    /// What it is about, line by line.
    const ABOUT: &'static [&'static str];
    /// Its settings, in the order of their declaration.
    const KEYS: &'static [Key];

    /// Takes its settings from what was given. Mistakes stay with the reader; a wrong setting counts as its default.
    fn read(reader: &mut Reader) -> Self;
}

/// Declares a section: `field: Type = "default", "smallest" to "largest";`.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $Section:ident($name:literal) {
            $($(#[doc = $doc:literal])+ $field:ident: $Type:ty = $default:literal $(, $min:literal to $max:literal)?;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub(crate) struct $Section { $($(#[doc = $doc])+ pub(crate) $field: $Type,)+ }

        impl $crate::config::section::Section for $Section {
            const NAME: &'static str = $name;
            const ABOUT: &'static [&'static str] = &[$($about),+];
            const KEYS: &'static [$crate::config::section::Key] = &[$(
                $crate::config::section::Key {
                    name: concat!($name, ".", stringify!($field)),
                    about: &[$($doc),+],
                    expected: <$Type as $crate::config::setting::Setting>::EXPECTED,
                    example: <$Type as $crate::config::setting::Setting>::EXAMPLE,
                    default: $default,
                    bounds: section!(@bounds $($min $max)?),
                },
            )+];

            fn read(reader: &mut $crate::config::reader::Reader) -> Self {
                let mut keys = Self::KEYS.iter();
                $(
                    let key = keys.next().expect("there is one key for each field");
                    let $field = reader.read::<$Type>(key);
                    $(let $field = reader.keep_within::<$Type>(key, $field, $min, $max);)?
                )+
                Self { $($field),+ }
            }
        }
    };
    (@bounds) => { None };
    (@bounds $min:literal $max:literal) => { Some(($min, $max)) };
}

pub(crate) use section;
