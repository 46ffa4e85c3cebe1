//! From settings to a file's text.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::{FileError, Section};
use crate::Settings;

/// A settings file that sets nothing: every key with its documentation and default, as comments.
pub fn template() -> String {
    let Settings { compiler, runtime, cache } = Settings::default();
    let introduction = "# Settings of precast. Remove the `#` in front of a key to change it.\n";
    let sections =
        [section_template(&compiler), section_template(&runtime), section_template(&cache)];
    format!("{introduction}{}", sections.concat())
}

/// All settings as a file would say them; what is not set is a comment.
pub fn show(settings: &Settings) -> String {
    let Settings { compiler, runtime, cache } = settings;
    [section(compiler), section(runtime), section(cache)].join("\n")
}

/// Writes the [`template`] to a file that does not exist yet, and creates its directory.
///
/// # Errors
///
/// When the file exists already or cannot be written.
pub fn init(path: &Path) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(template().as_bytes()).map_err(failed)
}

fn section_template<S: Section>(section: &S) -> String {
    let mut text = format!("\n[{}]\n", S::NAME);
    for key in S::KEYS {
        text.push('\n');
        text.extend(key.docs.iter().map(|line| format!("#{line}\n")));
        text.push_str(&format!("#{}\n", row(section, key)));
    }
    text
}

fn section<S: Section>(section: &S) -> String {
    let mut text = format!("[{}]\n", S::NAME);
    for key in S::KEYS {
        let set = if section.show(key.field).is_some() { "" } else { "#" };
        text.push_str(&format!("{set}{}\n", row(section, key)));
    }
    text
}

fn row<S: Section>(section: &S, key: &super::Key) -> String {
    let value = section.show(key.field);
    format!("{} ={}", key.name(), value.map(|value| format!(" {value}")).unwrap_or_default())
}
