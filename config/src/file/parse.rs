//! From the file's text to settings.

use std::io;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::{FileError, Problem, Section};
use crate::Settings;

/// The settings that a file holds, over the defaults. A file that does not exist holds none.
///
/// # Errors
///
/// When it cannot be read, or says something that is no setting.
pub fn load(path: &Path) -> Result<Settings, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    }
}

/// The settings that a text holds, over the defaults. The path is for messages.
///
/// # Errors
///
/// [`FileError::Problems`] with all that is wrong.
pub fn parse(text: &str, path: &Path) -> Result<Settings, FileError> {
    let mut reader = Reader { text, problems: Vec::new() };
    let mut settings = Settings::default();
    let (file, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reader.complain(&error.span().unwrap_or(0..0), error.message().to_owned());
    }
    // What the recovery made of a broken file is not worth a second complaint.
    if reader.problems.is_empty() {
        reader.file(file.get_ref(), &mut settings);
    }
    match reader.problems.is_empty() {
        true => Ok(settings),
        false => {
            reader.problems.sort_by_key(|problem| problem.line);
            Err(FileError::Problems { path: path.to_owned(), problems: reader.problems })
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn complain(&mut self, span: &Range<usize>, message: String) {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        self.problems.push(Problem { line, message });
    }

    fn file(&mut self, file: &DeTable<'_>, settings: &mut Settings) {
        let Settings { compiler, runtime, cache } = settings;
        let known = [name_of(compiler), name_of(runtime), name_of(cache)];
        for (name, value) in file {
            match name.get_ref().as_ref() {
                found if found == known[0] => self.section(compiler, value),
                found if found == known[1] => self.section(runtime, value),
                found if found == known[2] => self.section(cache, value),
                unknown => {
                    let hint = hint(unknown, known.iter());
                    self.complain(&name.span(), format!("unknown section `{unknown}`{hint}"));
                }
            }
        }
    }

    fn section<S: Section>(&mut self, section: &mut S, value: &Spanned<DeValue<'_>>) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.complain(&value.span(), format!("`{}` is a section", S::NAME));
        };
        for (name, value) in table {
            let found = name.get_ref().as_ref();
            let Some(key) = S::KEYS.iter().find(|key| key.name() == found) else {
                let hint = hint(found, S::KEYS.iter().map(super::Key::name));
                let message = format!("unknown key `{found}` in `{}`{hint}", S::NAME);
                self.complain(&name.span(), message);
                continue;
            };
            if let Err(mismatch) = section.set(key.field, value.get_ref()) {
                self.complain(&value.span(), format!("`{found}` {}", mismatch.0));
            }
        }
    }
}

fn name_of<S: Section>(_: &S) -> &'static str {
    S::NAME
}

fn hint<'a>(name: &str, known: impl Iterator<Item = impl AsRef<str> + 'a>) -> String {
    nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}
