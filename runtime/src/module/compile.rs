//! From WebAssembly to modules, where the compiler is linked: the only file that knows it.

use std::error::Error as StdError;

/// Whether an error comes from the compiler, or from reading the text format.
pub(crate) fn is_compile_error(error: &(dyn StdError + 'static)) -> bool {
    #[cfg(feature = "compiler")]
    if error.is::<precast_compiler::CompileError>() {
        return true;
    }
    #[cfg(feature = "wat")]
    if error.is::<wat::Error>() {
        return true;
    }
    let _ = error;
    false
}

#[cfg(feature = "compiler")]
mod with_compiler {
    use std::borrow::Cow;
    use std::path::Path;

    use precast_compiler::{CompilationArtifacts, Schedule};
    use precast_loader::Mapped;

    use crate::engine::Engine;
    use crate::error::Result;
    use crate::module::Module;

    impl Module {
        /// Compiles a module from the binary format or, with feature `wat`, the text format.
        ///
        /// ```
        /// use precast_runtime::{Engine, Instance, Module, Store};
        ///
        /// # #[cfg(feature = "wat")] {
        /// let engine = Engine::default();
        /// let module = Module::new(&engine, r#"
        ///     (module (func (export "add") (param i32 i32) (result i32)
        ///         (i32.add (local.get 0) (local.get 1))))
        /// "#)?;
        /// let mut store = Store::new(&engine, ());
        /// let instance = Instance::new(&mut store, &module, &[])?;
        /// let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
        /// assert_eq!(add.call(&mut store, (2, 3))?, 5);
        /// # }
        /// # Ok::<(), precast_runtime::Error>(())
        /// ```
        ///
        /// # Errors
        ///
        /// When the module is not valid, or uses what is not supported.
        pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
            let artifact = compile(engine, bytes.as_ref())?;
            Module::load(engine, Mapped::from_bytes(artifact.as_bytes())?, None)
        }

        /// Compiles a module from the binary format. Text is refused, also with feature `wat`.
        ///
        /// # Errors
        ///
        /// As [`Module::new`].
        pub fn from_binary(engine: &Engine, binary: &[u8]) -> Result<Module> {
            let artifact = compile_binary(engine, binary)?;
            Module::load(engine, Mapped::from_bytes(artifact.as_bytes())?, None)
        }

        /// Compiles the module in a file, as [`Module::new`].
        ///
        /// # Errors
        ///
        /// As [`Module::new`], and when the file cannot be read.
        pub fn from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
            let path = path.as_ref();
            let named = |error: crate::Error| {
                error.context(format_args!("cannot compile {}", path.display()))
            };
            let bytes = std::fs::read(path).map_err(|error| named(error.into()))?;
            Module::new(engine, bytes).map_err(named)
        }

        /// Compiles the module and forgets the code.
        ///
        /// # Errors
        ///
        /// As [`Module::new`].
        pub fn validate(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<()> {
            compile(engine, bytes.as_ref()).map(drop)
        }
    }

    impl Engine {
        /// Compiles a module to an artifact, which other processes load with
        /// [`Module::deserialize_file`].
        ///
        /// # Errors
        ///
        /// As [`Module::new`].
        pub fn precompile_module(&self, bytes: &[u8]) -> Result<Vec<u8>> {
            Ok(compile(self, bytes)?.into_bytes())
        }
    }

    fn compile(engine: &Engine, bytes: &[u8]) -> Result<CompilationArtifacts> {
        compile_binary(engine, &binary(bytes)?)
    }

    fn compile_binary(engine: &Engine, wasm: &[u8]) -> Result<CompilationArtifacts> {
        let config = engine.config();
        let mut schedule = Schedule::default();
        if let Some(jobs) = config.runtime_settings().jobs {
            schedule.jobs = jobs;
        }
        Ok(precast_compiler::compile(wasm, config.compiler_settings(), &schedule)?)
    }

    #[cfg(feature = "wat")]
    fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
        Ok(wat::parse_bytes(bytes)?)
    }

    #[cfg(not(feature = "wat"))]
    fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(bytes))
    }
}
