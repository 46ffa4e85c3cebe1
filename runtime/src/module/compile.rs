//! From WebAssembly to modules, where the compiler is linked.

use std::error::Error as StdError;

#[cfg(feature = "compiler")]
pub use self::with_compiler::CodeBuilder;

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
    use std::path::Path;
    use std::sync::atomic::AtomicBool;
    #[cfg(feature = "cache")]
    use std::sync::atomic::Ordering;

    use precast_compiler::{FunctionStore, Progress, Schedule, Stages};
    use precast_loader::Mapped;

    use crate::engine::Engine;
    use crate::error::Result;
    use crate::module::source::Source;
    use crate::module::{LoadOptions, Module};

    /// A WebAssembly module that is to be compiled, and how.
    ///
    /// [`Module::new`] and [`Module::from_file`] are short for it. With a cache in the engine's
    /// configuration (feature `cache`), code comes from there when it is there, and goes there
    /// when it is not. A file that the cache knows and that did not change is not even read.
    ///
    /// ```
    /// use precast_runtime::{CodeBuilder, Engine};
    ///
    /// let engine = Engine::default();
    /// let artifact = CodeBuilder::binary(&engine, b"\0asm\x01\0\0\0")
    ///     .progress(&|done, total| eprintln!("{done} of {total} functions"))
    ///     .compile_module_serialized()?;
    /// assert!(artifact.starts_with(b"\x7fELF"));
    /// # Ok::<(), precast_runtime::Error>(())
    /// ```
    pub struct CodeBuilder<'a> {
        pub(in crate::module) engine: &'a Engine,
        pub(in crate::module) source: Source<'a>,
        pub(in crate::module) options: LoadOptions,
        pub(in crate::module) on_wait: Option<&'a (dyn Fn(&str) + Sync)>,
        progress: Option<&'a (dyn Fn(usize, usize) + Sync)>,
        cancel: Option<&'a AtomicBool>,
        jobs: Option<usize>,
        stages: Option<&'a Stages>,
    }

    impl<'a> CodeBuilder<'a> {
        /// A module in the binary format.
        pub fn binary(engine: &'a Engine, wasm: &'a [u8]) -> CodeBuilder<'a> {
            CodeBuilder::of(engine, Source::Binary(wasm))
        }

        /// A module in the binary format or, with feature `wat`, the text format.
        pub fn binary_or_text(engine: &'a Engine, bytes: &'a [u8]) -> CodeBuilder<'a> {
            CodeBuilder::of(engine, Source::BinaryOrText(bytes))
        }

        /// A module in a file, in the binary format or, with feature `wat`, the text format. The
        /// file is opened now and read when that is necessary.
        ///
        /// # Errors
        ///
        /// When the file cannot be opened.
        pub fn file(engine: &'a Engine, path: &'a Path) -> Result<CodeBuilder<'a>> {
            Ok(CodeBuilder::of(engine, Source::open(path)?))
        }

        fn of(engine: &'a Engine, source: Source<'a>) -> CodeBuilder<'a> {
            let options = LoadOptions::default();
            let (on_wait, progress, cancel, jobs, stages) = (None, None, None, None, None);
            CodeBuilder { engine, source, options, on_wait, progress, cancel, jobs, stages }
        }

        /// Compiles with so many threads, instead of as many as the engine's configuration says.
        pub fn jobs(mut self, jobs: usize) -> Self {
            self.jobs = Some(jobs);
            self
        }

        /// Stops compiling, or waiting for another process that does, when this becomes true. That
        /// is an error, and the cache is left as it was.
        pub fn cancel_on(mut self, cancel: &'a AtomicBool) -> Self {
            self.cancel = Some(cancel);
            self
        }

        /// Adds up there how long each stage of compiling takes.
        pub fn stages(mut self, stages: &'a Stages) -> Self {
            self.stages = Some(stages);
            self
        }

        /// Is told how many functions of how many are compiled, from several threads.
        pub fn progress(mut self, progress: &'a (dyn Fn(usize, usize) + Sync)) -> Self {
            self.progress = Some(progress);
            self
        }

        /// Is told when another process compiles the same module, so that this one waits: which
        /// process, and what it does.
        pub fn on_wait(mut self, on_wait: &'a (dyn Fn(&str) + Sync)) -> Self {
            self.on_wait = Some(on_wait);
            self
        }

        /// How code that comes from the cache gets into memory. To verify means to read and hash
        /// the module in any case, and to compare all of the code with its digest.
        pub fn load_options(mut self, options: LoadOptions) -> Self {
            self.options = options;
            self
        }

        /// The module, ready to be instantiated.
        ///
        /// # Errors
        ///
        /// When the file cannot be read, or the module is not valid or uses what is not
        /// supported. An artifact is no module: [`SourceError::Artifact`].
        ///
        /// [`SourceError::Artifact`]: crate::SourceError::Artifact
        pub fn compile_module(&self) -> Result<Module> {
            #[cfg(feature = "cache")]
            if let Some(cache) = self.engine.cache() {
                return super::super::cached::module(self, cache);
            }
            self.load(&self.compile(&self.source.read()?)?)
        }

        /// The artifact, which other processes load with [`Module::deserialize_file`].
        ///
        /// # Errors
        ///
        /// As [`CodeBuilder::compile_module`].
        pub fn compile_module_serialized(&self) -> Result<Vec<u8>> {
            #[cfg(feature = "cache")]
            if let Some(cache) = self.engine.cache() {
                return super::super::cached::serialized(self, cache);
            }
            self.compile(&self.source.read()?)
        }

        /// Checks that the module is valid and uses only proposals that the engine accepts.
        /// Compiles nothing.
        ///
        /// # Errors
        ///
        /// As [`CodeBuilder::compile_module`].
        pub fn validate(&self) -> Result<()> {
            let settings = self.engine.config().compiler_settings();
            Ok(precast_compiler::validate(&self.source.read()?, settings)?)
        }

        /// The code of single functions, for people to read: see [`precast_compiler::list`].
        ///
        /// # Errors
        ///
        /// As [`CodeBuilder::compile_module`]; and when there is no such function, or it is imported.
        pub fn list_functions(
            &self,
            functions: &[impl AsRef<str>],
            language: precast_compiler::Language,
        ) -> Result<String> {
            let settings = self.engine.config().compiler_settings();
            Ok(precast_compiler::list(&self.source.read()?, settings, functions, language)?)
        }

        /// Whether the caller has changed their mind.
        #[cfg(feature = "cache")]
        pub(in crate::module) fn is_cancelled(&self) -> bool {
            self.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed))
        }

        /// Compiles a module, whatever is in the cache.
        pub(in crate::module) fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>> {
            self.compile_with(wasm, None)
        }

        /// Compiles a module, except for the functions whose code is kept.
        pub(in crate::module) fn compile_with(
            &self,
            wasm: &[u8],
            functions: Option<&dyn FunctionStore>,
        ) -> Result<Vec<u8>> {
            let config = self.engine.config();
            let reporter = self.progress.map(Reporter);
            let progress = reporter.as_ref().map(|reporter| reporter as &dyn Progress);
            let jobs = self.jobs.or(config.runtime_settings().jobs);
            let jobs = jobs.unwrap_or(Schedule::default().jobs);
            let schedule =
                Schedule { jobs, progress, cancel: self.cancel, functions, stages: self.stages };
            let artifact = precast_compiler::compile(wasm, config.compiler_settings(), &schedule)?;
            Ok(artifact.into_bytes())
        }

        /// Loads what has just been compiled.
        pub(in crate::module) fn load(&self, artifact: &[u8]) -> Result<Module> {
            Module::load(self.engine, Mapped::from_bytes(artifact)?, &LoadOptions::default(), None)
        }
    }

    impl Module {
        /// Compiles a module from the binary format or, with feature `wat`, the text format.
        /// With a cache in the engine's configuration, code that is there is not compiled.
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
            CodeBuilder::binary_or_text(engine, bytes.as_ref()).compile_module()
        }

        /// Compiles a module from the binary format. Text is refused, also with feature `wat`.
        ///
        /// # Errors
        ///
        /// As [`Module::new`].
        pub fn from_binary(engine: &Engine, wasm: &[u8]) -> Result<Module> {
            CodeBuilder::binary(engine, wasm).compile_module()
        }

        /// Compiles the module in a file, as [`Module::new`] does. With a cache in the engine's
        /// configuration, a file that it knows and that did not change is not read.
        ///
        /// # Errors
        ///
        /// As [`CodeBuilder::compile_module`].
        pub fn from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
            CodeBuilder::file(engine, path.as_ref())?.compile_module()
        }

        /// Checks that a module is valid and uses only proposals that the engine accepts.
        ///
        /// # Errors
        ///
        /// As [`Module::new`].
        pub fn validate(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<()> {
            CodeBuilder::binary_or_text(engine, bytes.as_ref()).validate()
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
            CodeBuilder::binary_or_text(self, bytes).compile_module_serialized()
        }
    }

    struct Reporter<'a>(&'a (dyn Fn(usize, usize) + Sync));

    impl Progress for Reporter<'_> {
        fn functions(&self, done: usize, total: usize) {
            (self.0)(done, total);
        }
    }
}
