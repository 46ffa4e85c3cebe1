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

    use precast_compiler::{CompilationArtifacts, Progress, Schedule};
    use precast_loader::Mapped;

    use crate::engine::Engine;
    use crate::error::Result;
    use crate::module::{LoadOptions, Module};

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
            let artifact = compile(engine, bytes.as_ref(), None)?;
            load(engine, &artifact)
        }

        /// Compiles a module and tells `progress` how many functions of how many are done.
        ///
        /// # Errors
        ///
        /// As [`Module::new`].
        pub fn new_with_progress(
            engine: &Engine,
            bytes: impl AsRef<[u8]>,
            progress: &(dyn Fn(usize, usize) + Sync),
        ) -> Result<Module> {
            let artifact = compile(engine, bytes.as_ref(), Some(progress))?;
            load(engine, &artifact)
        }

        /// Compiles a module from the binary format. Text is refused, also with feature `wat`.
        ///
        /// # Errors
        ///
        /// As [`Module::new`].
        pub fn from_binary(engine: &Engine, wasm: &[u8]) -> Result<Module> {
            let artifact = compile_binary(engine, wasm, None)?;
            load(engine, &artifact)
        }

        /// Checks that a module is valid and uses only proposals that the engine accepts.
        ///
        /// # Errors
        ///
        /// As [`Module::new`].
        pub fn validate(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<()> {
            let wasm = binary(bytes.as_ref())?;
            Ok(precast_compiler::validate(&wasm, engine.config().compiler_settings())?)
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
            Ok(compile(self, bytes, None)?.into_bytes())
        }

        /// Compiles a module to an artifact, and tells `progress` how many functions of how many
        /// are done.
        ///
        /// # Errors
        ///
        /// As [`Module::new`].
        pub fn precompile_module_with_progress(
            &self,
            bytes: &[u8],
            progress: &(dyn Fn(usize, usize) + Sync),
        ) -> Result<Vec<u8>> {
            Ok(compile(self, bytes, Some(progress))?.into_bytes())
        }
    }

    struct Reporter<'a>(&'a (dyn Fn(usize, usize) + Sync));

    impl Progress for Reporter<'_> {
        fn functions(&self, done: usize, total: usize) {
            (self.0)(done, total);
        }
    }

    fn compile(
        engine: &Engine,
        bytes: &[u8],
        progress: Option<&(dyn Fn(usize, usize) + Sync)>,
    ) -> Result<CompilationArtifacts> {
        compile_binary(engine, &binary(bytes)?, progress)
    }

    fn compile_binary(
        engine: &Engine,
        wasm: &[u8],
        progress: Option<&(dyn Fn(usize, usize) + Sync)>,
    ) -> Result<CompilationArtifacts> {
        let config = engine.config();
        let reporter = progress.map(Reporter);
        let progress = reporter.as_ref().map(|reporter| reporter as &dyn Progress);
        let jobs = config.runtime_settings().jobs.unwrap_or(Schedule::default().jobs);
        let schedule = Schedule { jobs, progress };
        Ok(precast_compiler::compile(wasm, config.compiler_settings(), &schedule)?)
    }

    fn load(engine: &Engine, artifact: &CompilationArtifacts) -> Result<Module> {
        let mapped = Mapped::from_bytes(artifact.as_bytes())?;
        Module::load(engine, mapped, &LoadOptions::default(), None)
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
