//! From artifacts to modules: whom the caller trusts, and where the bytes are.
#![allow(unsafe_code)] // Functions that are unsafe to call, because they load native code.

use std::fs::File;
use std::path::Path;

use precast_loader::{Mapped, StaticArtifact};

use crate::engine::Engine;
use crate::error::Result;
use crate::module::{LoadOptions, Module};

impl Module {
    /// Maps the artifact in a file, which `Engine::precompile_module` or `precast compile` made. Of
    /// several in one file, the one that makes the most of this machine: see [`Module::contained`].
    ///
    /// # Errors
    ///
    /// When it is damaged, or does not fit this machine or the engine.
    ///
    /// # Safety
    ///
    /// Native code from the file will run. Whoever wrote it must be trusted, and nobody may
    /// change the file while the module is in use.
    pub unsafe fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        // SAFETY: the caller promises the same.
        unsafe { Module::deserialize_file_with(engine, path, &LoadOptions::default()) }
    }

    /// Maps the artifact in a file, as the options say.
    ///
    /// # Errors
    ///
    /// As [`Module::deserialize_file`].
    ///
    /// # Safety
    ///
    /// As [`Module::deserialize_file`].
    pub unsafe fn deserialize_file_with(
        engine: &Engine,
        path: impl AsRef<Path>,
        options: &LoadOptions,
    ) -> Result<Module> {
        let path = path.as_ref();
        let mapped = Mapped::from_file(&File::open(path)?, 0, None, options.placement)?;
        Module::load(engine, mapped, options, Some(path.to_owned()))
    }

    /// Maps the artifact that begins at `offset` of an open file and is `len` bytes long, or
    /// reaches to the end of the file.
    ///
    /// # Errors
    ///
    /// As [`Module::deserialize_file`].
    ///
    /// # Safety
    ///
    /// As [`Module::deserialize_file`].
    pub unsafe fn deserialize_open_file(
        engine: &Engine,
        file: &File,
        offset: u64,
        len: Option<u64>,
        options: &LoadOptions,
    ) -> Result<Module> {
        let mapped = Mapped::from_file(file, offset, len, options.placement)?;
        Module::load(engine, mapped, options, None)
    }

    /// Loads an artifact from memory, as [`Module::serialize`] returned it. It is copied.
    ///
    /// # Errors
    ///
    /// As [`Module::deserialize_file`].
    ///
    /// # Safety
    ///
    /// Native code from the bytes will run: whoever made them must be trusted.
    pub unsafe fn deserialize(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        let mapped = Mapped::from_bytes(bytes.as_ref())?;
        Module::load(engine, mapped, &LoadOptions::default(), None)
    }

    /// Takes an artifact that is a part of the program, as [`include_artifact!`](crate::include_artifact!) gives it. Its code
    /// runs where it lies.
    ///
    /// Where that cannot be, it is copied as [`Module::deserialize`] does: when the code needs
    /// relocations (it was compiled for processors without SSE4.1), and when the system refuses to
    /// execute pages that were loaded as data.
    ///
    /// ```no_run
    /// use precast_runtime::{Engine, Module, include_artifact};
    ///
    /// # const _: &str = stringify! {
    /// let plugin = include_artifact!("plugin.precast");
    /// # };
    /// # let plugin = include_artifact!("/dev/null");
    /// // SAFETY: whoever built this program made the artifact.
    /// let module = unsafe { Module::from_static(&Engine::default(), plugin)? };
    /// # Ok::<(), precast_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Module::deserialize_file`].
    ///
    /// # Safety
    ///
    /// Native code from the artifact will run: whoever made it must be trusted. A library that is
    /// unloaded while the program runs may not do this with artifacts of its own.
    pub unsafe fn from_static(engine: &Engine, artifact: StaticArtifact) -> Result<Module> {
        Module::load(engine, Mapped::from_static(artifact)?, &LoadOptions::default(), None)
    }
}

/// Loading with a proof of origin, which is safe.
#[cfg(feature = "signatures")]
impl Module {
    /// Loads an artifact from a file when one of these keys has signed it: `precast sign` and
    /// `precast compile --sign-key` do that.
    ///
    /// The artifact is copied into memory that nobody else can write, and the copy is what is
    /// compared with the signature and run: the file may change meanwhile. To trust a key means to
    /// trust that its owner signs nothing but what a compiler of this package made.
    ///
    /// ```no_run
    /// use precast_runtime::{Engine, Module, PublicKey};
    ///
    /// let key: PublicKey = std::fs::read_to_string("release.pub")?.parse()?;
    /// let module = Module::from_signed_file(&Engine::default(), &[key], "plugin.precast")?;
    /// # Ok::<(), precast_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SignatureError`](crate::SignatureError) when none of the keys has signed it or it was
    /// changed since, and as [`Module::deserialize_file`]. Nothing of it is executable then.
    pub fn from_signed_file(
        engine: &Engine,
        trusted_keys: &[crate::PublicKey],
        path: impl AsRef<Path>,
    ) -> Result<Module> {
        let path = path.as_ref();
        let mapped = Mapped::from_signed_file(&File::open(path)?, trusted_keys)?;
        Module::load(engine, mapped, &LoadOptions::default(), Some(path.to_owned()))
    }

    /// Loads an artifact from memory when one of these keys has signed it.
    ///
    /// # Errors
    ///
    /// As [`Module::from_signed_file`].
    pub fn from_signed(
        engine: &Engine,
        trusted_keys: &[crate::PublicKey],
        bytes: impl AsRef<[u8]>,
    ) -> Result<Module> {
        let mapped = Mapped::from_signed_bytes(bytes.as_ref(), trusted_keys)?;
        Module::load(engine, mapped, &LoadOptions::default(), None)
    }
}

/// An artifact as a part of the program, on pages of its own, for [`Module::from_static`].
///
/// It takes what [`include_bytes!`] takes: a path relative to the source file, or an expression
/// such as `env!("PRECAST_PLUGIN")` when a build script with `precast-build` made it.
#[macro_export]
macro_rules! include_artifact {
    ($file:expr $(,)?) => {{
        static ARTIFACT: $crate::PageAligned<[u8; include_bytes!($file).len()]> =
            $crate::PageAligned(*include_bytes!($file));
        $crate::StaticArtifact::new(&ARTIFACT)
    }};
}
