//! Settings that take one of a few names.

/// A name that is none of those that a setting takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is none of {}", known.join(", "))]
pub struct UnknownChoice {
    /// What was given.
    pub name: String,
    /// What the setting takes.
    pub known: Vec<&'static str>,
}

/// The value of that name.
pub(crate) fn choice<T: Copy>(
    name: &str,
    all: &[T],
    name_of: impl Fn(T) -> &'static str,
) -> Result<T, UnknownChoice> {
    all.iter().copied().find(|value| name_of(*value) == name).ok_or_else(|| UnknownChoice {
        name: name.to_owned(),
        known: all.iter().copied().map(name_of).collect(),
    })
}
