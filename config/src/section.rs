//! How a group of settings is declared.

/// Declares a structure of settings once: its fields with their documentation and defaults, and
/// with the feature `file` the keys of its section in the settings file.
///
/// Each row is `field: Type as Form = default;`. The form (see `file::form`) says how the value
/// is written in the file.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $name:ident as $section:literal {
            $($(#[doc = $doc:literal])+ $field:ident: $type:ty as $form:ident = $default:expr;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* }
            }
        }

        #[cfg(feature = "file")]
        impl crate::file::Section for $name {
            const NAME: &'static str = $section;
            const KEYS: &'static [crate::file::Key] = &[$(crate::file::Key {
                field: stringify!($field),
                docs: &[$($doc),+],
            },)*];

            fn set(
                &mut self,
                field: &str,
                value: &toml::de::DeValue<'_>,
            ) -> Result<(), crate::file::Mismatch> {
                match field {
                    $(stringify!($field) => {
                        crate::file::form::$form::read(value, &mut self.$field)
                    })*
                    _ => Ok(()),
                }
            }

            fn show(&self, field: &str) -> Option<String> {
                match field {
                    $(stringify!($field) => crate::file::form::$form::write(&self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use section;
