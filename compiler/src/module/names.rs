//! The `name` section.

use wasmparser::{BinaryReader, Name, NameSectionReader};

/// Names are cut here; tools that show them cut earlier.
const MAX_NAME: usize = 1024;

/// What a module calls itself and its functions.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Names {
    /// The module's name.
    pub(crate) module: Option<String>,
    /// Names by function; not longer than the last named function.
    pub(crate) functions: Vec<Option<String>>,
}

/// Reads the section of a module with `functions` functions. A malformed section has no names:
/// the specification makes it no error.
pub(crate) fn read(section: BinaryReader<'_>, functions: usize) -> Names {
    try_read(section, functions).unwrap_or_default()
}

fn try_read(section: BinaryReader<'_>, functions: usize) -> wasmparser::Result<Names> {
    let mut names = Names::default();
    for subsection in NameSectionReader::new(section) {
        match subsection? {
            Name::Module { name, name_range: _ } => names.module = Some(clean(name)),
            Name::Function(map) => {
                for naming in map {
                    let naming = naming?;
                    let index = naming.index as usize;
                    if index >= functions {
                        continue;
                    }
                    if names.functions.len() <= index {
                        names.functions.resize(index + 1, None);
                    }
                    names.functions[index] = Some(clean(naming.name));
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// A name that symbol tables and terminals can take: bounded, without control characters.
fn clean(name: &str) -> String {
    let end = name.floor_char_boundary(MAX_NAME);
    name[..end].replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(bytes: &[u8]) -> Names {
        read(BinaryReader::new(bytes, 0), 3)
    }

    #[test]
    fn names_are_cleaned_and_matched() {
        let names = section(b"\x00\x03\x02a\n\x01\x07\x02\x01\x01f\x09\x01g");
        assert_eq!(names.module.as_deref(), Some("a\u{fffd}"));
        assert_eq!(names.functions, [None, Some("f".into())]);
    }

    #[test]
    fn malformed_sections_have_no_names() {
        assert_eq!(section(b"\x00\x03\x02ab\x01\xff"), Names::default());
        assert_eq!(section(b"\x01\x05\x01\x01\x02\xff\xfe"), Names::default());
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        assert_eq!(clean(&"\u{e9}".repeat(2000)).len(), MAX_NAME);
        assert_eq!(clean(&"\u{20ac}".repeat(2000)).len(), MAX_NAME / 3 * 3);
    }
}
