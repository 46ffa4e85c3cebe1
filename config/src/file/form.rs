//! How a setting's value is written in the file. Each form reads and writes one kind of value.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};

use super::nearest::nearest;
use crate::WasmFeatures;

/// Why a value cannot be a setting's, as the end of a sentence that begins with its key.
pub(crate) struct Mismatch(pub(crate) String);

/// A size in bytes: `"4GiB"`, or a plain number.
pub(crate) struct Size;
/// A plain number.
pub(crate) struct Count;
/// A number that zstd takes as its level.
pub(crate) struct Level;
/// A length of time: `"30d"`.
pub(crate) struct Span;
/// `true` or `false`.
pub(crate) struct Switch;
/// Any text.
pub(crate) struct Text;
/// A list of texts.
pub(crate) struct Texts;
/// One of a few names.
pub(crate) struct Choice;
/// An absolute path.
pub(crate) struct Folder;
/// A table of names and values for the code generator.
pub(crate) struct Flags;
/// A table of WebAssembly proposals and whether they are accepted.
pub(crate) struct Proposals;

impl Mismatch {
    fn wanted(expected: &str, value: &DeValue<'_>) -> Mismatch {
        let found = match value {
            DeValue::String(text) => format!("\"{text}\""),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(switch) => switch.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        Mismatch(format!("takes {expected}, not {found}"))
    }
}

/// The number that the file says, if it fits.
fn number<T: TryFrom<i128>>(integer: &DeInteger<'_>) -> Option<T> {
    T::try_from(i128::from_str_radix(integer.as_str(), integer.radix()).ok()?).ok()
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// The largest unit that divides a value, and how often it does.
fn in_units(value: u64, units: &[(u64, &'static str)]) -> Option<String> {
    let fits = |unit: &&(u64, &str)| value >= unit.0 && value.is_multiple_of(unit.0);
    units.iter().find(fits).map(|(unit, name)| quoted(&format!("{}{name}", value / unit)))
}

impl Size {
    pub(crate) fn read<T: TryFrom<u64>>(value: &DeValue<'_>, to: &mut T) -> Result<(), Mismatch> {
        let bytes = match value {
            DeValue::String(text) => text.parse::<bytesize::ByteSize>().ok().map(|size| size.0),
            DeValue::Integer(integer) => number(integer),
            _ => None,
        };
        *to = bytes
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| Mismatch::wanted("a size such as \"4GiB\"", value))?;
        Ok(())
    }

    pub(crate) fn write<T: Copy + TryInto<u64>>(value: &T) -> Option<String> {
        let value = (*value).try_into().ok()?;
        let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        in_units(value, &units).or_else(|| Some(value.to_string()))
    }
}

/// What a plain number can be: required, or optional.
pub(crate) trait Countable {
    fn from_count(count: usize) -> Self;
    fn count(&self) -> Option<usize>;
}

impl Countable for usize {
    fn from_count(count: usize) -> Self {
        count
    }

    fn count(&self) -> Option<usize> {
        Some(*self)
    }
}

impl Countable for Option<usize> {
    fn from_count(count: usize) -> Self {
        Some(count)
    }

    fn count(&self) -> Option<usize> {
        *self
    }
}

impl Count {
    pub(crate) fn read(value: &DeValue<'_>, to: &mut impl Countable) -> Result<(), Mismatch> {
        let DeValue::Integer(integer) = value else {
            return Err(Mismatch::wanted("a number", value));
        };
        let count = number(integer).ok_or_else(|| Mismatch::wanted("a number", value))?;
        *to = Countable::from_count(count);
        Ok(())
    }

    pub(crate) fn write(value: &impl Countable) -> Option<String> {
        value.count().map(|count| count.to_string())
    }
}

impl Level {
    pub(crate) fn read(value: &DeValue<'_>, to: &mut i32) -> Result<(), Mismatch> {
        let level = match value {
            DeValue::Integer(integer) => number(integer).filter(|level| (1..=22).contains(level)),
            _ => None,
        };
        *to = level.ok_or_else(|| Mismatch::wanted("a number from 1 to 22", value))?;
        Ok(())
    }

    pub(crate) fn write(value: &i32) -> Option<String> {
        Some(value.to_string())
    }
}

impl Span {
    pub(crate) fn read(value: &DeValue<'_>, to: &mut Duration) -> Result<(), Mismatch> {
        let span = match value {
            DeValue::String(text) => humantime::parse_duration(text).ok(),
            _ => None,
        };
        *to = span.ok_or_else(|| Mismatch::wanted("a length of time such as \"30d\"", value))?;
        Ok(())
    }

    pub(crate) fn write(value: &Duration) -> Option<String> {
        let units = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")];
        let whole =
            if value.subsec_nanos() == 0 { in_units(value.as_secs(), &units) } else { None };
        whole.or_else(|| Some(quoted(&humantime::format_duration(*value).to_string())))
    }
}

impl Switch {
    pub(crate) fn read(value: &DeValue<'_>, to: &mut bool) -> Result<(), Mismatch> {
        let DeValue::Boolean(switch) = value else {
            return Err(Mismatch::wanted("true or false", value));
        };
        *to = *switch;
        Ok(())
    }

    pub(crate) fn write(value: &bool) -> Option<String> {
        Some(value.to_string())
    }
}

impl Text {
    pub(crate) fn read(value: &DeValue<'_>, to: &mut Option<String>) -> Result<(), Mismatch> {
        let DeValue::String(text) = value else {
            return Err(Mismatch::wanted("a text in quotes", value));
        };
        *to = Some(text.clone().into_owned());
        Ok(())
    }

    pub(crate) fn write(value: &Option<String>) -> Option<String> {
        value.as_deref().map(quoted)
    }
}

impl Texts {
    pub(crate) fn read(value: &DeValue<'_>, to: &mut Vec<String>) -> Result<(), Mismatch> {
        let text = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref() {
            DeValue::String(text) => Some(text.clone().into_owned()),
            _ => None,
        };
        let texts = match value {
            DeValue::Array(values) => values.iter().map(text).collect(),
            _ => None,
        };
        *to = texts.ok_or_else(|| Mismatch::wanted("a list of texts in quotes", value))?;
        Ok(())
    }

    pub(crate) fn write(value: &[String]) -> Option<String> {
        let texts: Vec<_> = value.iter().map(|text| quoted(text)).collect();
        (!texts.is_empty()).then(|| format!("[{}]", texts.join(", ")))
    }
}

impl Choice {
    pub(crate) fn read<T>(value: &DeValue<'_>, to: &mut T) -> Result<(), Mismatch>
    where
        T: FromStr<Err: Display>,
    {
        let DeValue::String(text) = value else {
            return Err(Mismatch::wanted("a name in quotes", value));
        };
        *to = text.parse().map_err(|unknown| Mismatch(format!("has no such choice: {unknown}")))?;
        Ok(())
    }

    pub(crate) fn write(value: &impl Display) -> Option<String> {
        Some(quoted(&value.to_string()))
    }
}

impl Folder {
    pub(crate) fn read(value: &DeValue<'_>, to: &mut Option<PathBuf>) -> Result<(), Mismatch> {
        let path = match value {
            DeValue::String(text) => Some(PathBuf::from(text.as_ref())),
            _ => None,
        };
        let absolute = path.filter(|path| path.is_absolute());
        // A relative path would mean another directory in each place that a program starts in.
        *to = Some(absolute.ok_or_else(|| Mismatch::wanted("an absolute path", value))?);
        Ok(())
    }

    pub(crate) fn write(value: &Option<PathBuf>) -> Option<String> {
        value.as_deref().map(|path| quoted(&path.to_string_lossy()))
    }
}

impl Flags {
    pub(crate) fn read(
        value: &DeValue<'_>,
        to: &mut Vec<(String, String)>,
    ) -> Result<(), Mismatch> {
        let expected = "a table of names and values";
        let DeValue::Table(table) = value else { return Err(Mismatch::wanted(expected, value)) };
        for (name, value) in table {
            let text = match value.get_ref() {
                DeValue::String(text) => text.clone().into_owned(),
                DeValue::Boolean(switch) => switch.to_string(),
                DeValue::Integer(integer) => integer.to_string(),
                other => {
                    let Mismatch(why) = Mismatch::wanted("a flag's value", other);
                    return Err(Mismatch(format!("`{}` {why}", name.get_ref())));
                }
            };
            to.push((name.get_ref().clone().into_owned(), text));
        }
        Ok(())
    }

    pub(crate) fn write(value: &[(String, String)]) -> Option<String> {
        let flags = value.iter().map(|(name, value)| (name.as_str(), quoted(value)));
        (!value.is_empty()).then(|| inline_table(flags))
    }
}

impl Proposals {
    pub(crate) fn read(value: &DeValue<'_>, to: &mut WasmFeatures) -> Result<(), Mismatch> {
        let expected = "a table of proposals that are true or false";
        let DeValue::Table(table) = value else { return Err(Mismatch::wanted(expected, value)) };
        for (name, value) in table {
            let name = name.get_ref();
            let DeValue::Boolean(accept) = value.get_ref() else {
                let Mismatch(why) = Mismatch::wanted("true or false", value.get_ref());
                return Err(Mismatch(format!("`{name}` {why}")));
            };
            to.set(name, *accept).map_err(|unknown| {
                let hint = nearest(name, WasmFeatures::NAMES.iter().copied());
                let hint = hint.map(|hint| format!("; did you mean `{hint}`?"));
                Mismatch(format!("has no such proposal: {unknown}{}", hint.unwrap_or_default()))
            })?;
        }
        Ok(())
    }

    pub(crate) fn write(value: &WasmFeatures) -> Option<String> {
        Some(inline_table(value.iter().map(|(name, accept)| (name, accept.to_string()))))
    }
}

fn inline_table<'a>(rows: impl Iterator<Item = (&'a str, String)>) -> String {
    let bare = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let row = |(name, value): (&str, String)| match bare(name) {
        true => format!("{name} = {value}"),
        false => format!("{} = {value}", quoted(name)),
    };
    format!("{{ {} }}", rows.map(row).collect::<Vec<_>>().join(", "))
}
