//! Where the settings file and the cache are.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use directories::BaseDirs;

use super::{FileError, load};
use crate::{CacheSettings, Settings};

/// The environment variable that names another settings file. Empty: there is none.
pub const FILE_VARIABLE: &str = "PRECAST_CONFIG";
/// The environment variable that names another directory for the cache.
pub const CACHE_VARIABLE: &str = "PRECAST_CACHE_DIR";

/// Who chose the cache's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOrigin {
    /// The caller, for example by an option on the command line.
    Explicit,
    /// The environment variable [`CACHE_VARIABLE`].
    Environment,
    /// The settings file.
    File,
    /// The platform has a directory for caches.
    Platform,
}

/// Where the user's settings file is or would be: what [`FILE_VARIABLE`] says, else
/// `precast/config.toml` in the platform's directory for settings.
pub fn location() -> Option<PathBuf> {
    location_from(std::env::var_os(FILE_VARIABLE))
}

/// As [`location`], for a given value of the variable.
pub fn location_from(variable: Option<OsString>) -> Option<PathBuf> {
    match variable {
        Some(path) => (!path.is_empty()).then(|| path.into()),
        None => Some(BaseDirs::new()?.config_dir().join("precast").join("config.toml")),
    }
}

/// The directory that the cache goes below, and who chose it: the caller, else the environment
/// variable's value, else the settings, else the platform. `None` where there is no home.
pub fn cache_directory(
    explicit: Option<&Path>,
    variable: Option<OsString>,
    settings: &CacheSettings,
) -> Option<(PathBuf, CacheOrigin)> {
    if let Some(path) = explicit {
        return Some((path.to_owned(), CacheOrigin::Explicit));
    }
    if let Some(path) = variable.filter(|path| !path.is_empty()) {
        return Some((path.into(), CacheOrigin::Environment));
    }
    if let Some(path) = &settings.directory {
        return Some((path.clone(), CacheOrigin::File));
    }
    Some((BaseDirs::new()?.cache_dir().to_owned(), CacheOrigin::Platform))
}

/// The directory that the user's cache goes below, and who chose it: `explicit`, else the environment,
/// the settings file at [`location`], or the platform.
///
/// # Errors
///
/// As [`load`].
pub fn user_cache_directory(
    explicit: Option<&Path>,
) -> Result<Option<(PathBuf, CacheOrigin)>, FileError> {
    let variable = std::env::var_os(CACHE_VARIABLE);
    Ok(cache_directory(explicit, variable, &file_settings()?.cache))
}

/// The user's settings: what the file at [`location`] says, and as the cache's directory the one
/// that [`cache_directory`] chooses.
///
/// # Errors
///
/// As [`load`].
pub fn user_settings() -> Result<Settings, FileError> {
    let mut settings = file_settings()?;
    let directory = cache_directory(None, std::env::var_os(CACHE_VARIABLE), &settings.cache);
    settings.cache.directory = directory.map(|(path, _)| path);
    Ok(settings)
}

fn file_settings() -> Result<Settings, FileError> {
    match location() {
        Some(path) => load(&path),
        None => Ok(Settings::default()),
    }
}

impl fmt::Display for CacheOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CacheOrigin::Explicit => "command line",
            CacheOrigin::Environment => CACHE_VARIABLE,
            CacheOrigin::File => "settings file",
            CacheOrigin::Platform => "platform default",
        })
    }
}
