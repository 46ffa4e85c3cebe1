//! From the file's text to settings.

use std::io;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::nearest::nearest;
use super::project::{Project, Recipe};
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
    let mut settings = Settings::default();
    read(text, path, |reader, file| {
        for (name, value) in file {
            if !reader.settings(name, value, &mut settings) {
                reader.unknown_section(name, &[]);
            }
        }
    })?;
    Ok(settings)
}

/// What the text of a project's manifest says, over these settings.
pub(super) fn parse_project(
    text: &str,
    path: &Path,
    settings: Settings,
) -> Result<Project, FileError> {
    let mut project = Project { settings, recipes: Vec::new() };
    read(text, path, |reader, file| {
        for (name, value) in file {
            if name.get_ref() == Recipe::NAME {
                reader.recipes(value, &mut project.recipes);
            } else if !reader.settings(name, value, &mut project.settings) {
                reader.unknown_section(name, &[Recipe::NAME]);
            }
        }
        if project.recipes.is_empty() {
            reader.complain(&(0..0), "the manifest names no `[[artifact]]`".to_owned());
        }
    })?;
    Ok(project)
}

/// Has `understand` look at the file, and reports what it and the TOML parser complain about.
fn read(
    text: &str,
    path: &Path,
    understand: impl FnOnce(&mut Reader<'_>, &DeTable<'_>),
) -> Result<(), FileError> {
    let mut reader = Reader { text, problems: Vec::new() };
    let (file, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reader.complain(&error.span().unwrap_or(0..0), error.message().to_owned());
    }
    // What the recovery made of a broken file is not worth a second complaint.
    if reader.problems.is_empty() {
        understand(&mut reader, file.get_ref());
    }
    match reader.problems.is_empty() {
        true => Ok(()),
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

    /// Reads a section of settings; whether it is one.
    fn settings(
        &mut self,
        name: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        settings: &mut Settings,
    ) -> bool {
        let Settings { compiler, runtime, cache } = settings;
        match name.get_ref().as_ref() {
            found if found == name_of(compiler) => self.section(compiler, value),
            found if found == name_of(runtime) => self.section(runtime, value),
            found if found == name_of(cache) => self.section(cache, value),
            _ => return false,
        }
        true
    }

    fn unknown_section(&mut self, name: &Spanned<DeString<'_>>, others: &[&'static str]) {
        let Settings { compiler, runtime, cache } = &Settings::default();
        let known = [name_of(compiler), name_of(runtime), name_of(cache)];
        let unknown = name.get_ref();
        let hint = hint(unknown, known.iter().chain(others));
        self.complain(&name.span(), format!("unknown section `{unknown}`{hint}"));
    }

    fn recipes(&mut self, value: &Spanned<DeValue<'_>>, recipes: &mut Vec<Recipe>) {
        let DeValue::Array(items) = value.get_ref() else {
            let message = "there can be several artifacts: write `[[artifact]]`";
            return self.complain(&value.span(), message.to_owned());
        };
        for item in items {
            let mut recipe = Recipe::default();
            let problems = self.problems.len();
            self.section(&mut recipe, item);
            if recipe.module.is_none() && self.problems.len() == problems {
                self.complain(&item.span(), "an `artifact` needs a `module`".to_owned());
            }
            recipes.push(recipe);
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
