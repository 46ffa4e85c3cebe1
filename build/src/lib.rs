//! Compiles WebAssembly to artifacts in a build script, so that a program carries its plug-ins as
//! native code.
//!
//! ```text
//! build.rs: Builder --compile, through the cache--> $OUT_DIR/NAME.precast --> PRECAST_NAME
//! program:  include_artifact!(env!("PRECAST_NAME")) --Module::from_static--> Module
//! ```
//!
//! The build script of a program with a module `greet.wasm`:
//!
//! ```no_run
//! // In the `main` of build.rs:
//! precast_build::Builder::new("greet.wasm").build();
//! ```
//!
//! and the program, which depends on `precast-runtime` and so holds no compiler:
//!
//! ```ignore
//! let greet = precast_runtime::include_artifact!(env!("PRECAST_GREET"));
//! // SAFETY: this program's own build script made the artifact.
//! let module = unsafe { Module::from_static(&Engine::default(), greet)? };
//! ```
//!
//! The artifact is for the target that cargo builds for, and for every processor of its architecture unless
//! [`Builder::cpu`] says otherwise: a program is often run elsewhere than it was built. What was compiled
//! before comes from the user's cache. Build scripts are built without optimisation unless cargo is told
//! otherwise, and an unoptimised compiler is slow:
//!
//! ```toml
//! [profile.dev.build-override]
//! opt-level = 3
//! ```

use std::env;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use precast::artifact::container::{self, Part};
use precast::cache::Cache;
use precast::settings::file::{CACHE_VARIABLE, FILE_VARIABLE, user_settings};
use precast::{CodeBuilder, Config, CpuChoice, Engine, Error, Result};

/// A module that a build script compiles.
#[derive(Clone, Debug)]
pub struct Builder {
    module: PathBuf,
    name: Option<String>,
    cpus: Vec<CpuChoice>,
    config: Config,
}

/// What was compiled, and what cargo has to be told about it.
#[derive(Clone, Debug)]
pub struct Output {
    artifact: PathBuf,
    instructions: Vec<String>,
}

impl Builder {
    /// A module in a file, in the binary or the text format. A relative path begins in the package's
    /// directory, where cargo runs build scripts.
    pub fn new(module: impl Into<PathBuf>) -> Builder {
        Builder { module: module.into(), name: None, cpus: Vec::new(), config: Config::new() }
    }

    /// The artifact's name, which the variable `PRECAST_NAME` has in capitals and with `_` for what
    /// is neither letter nor digit. The file's own, without its extension, by default.
    pub fn name(&mut self, name: impl Into<String>) -> &mut Builder {
        self.name = Some(name.into());
        self
    }

    /// Compiles for this processor, such as `x86-64-v3`. Called several times, the artifact holds code
    /// for all of them, and a machine runs the best that it can. `native` is the machine that builds.
    pub fn cpu(&mut self, name: &str) -> &mut Builder {
        let Ok(cpu) = name.parse();
        self.cpus.push(cpu);
        self
    }

    /// The other settings. Target, processor and cache are not taken from here.
    pub fn config(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Compiles the module and tells cargo: the whole work of a build script. When it fails, cargo
    /// shows why, and the build ends.
    pub fn build(&self) {
        match self.compile() {
            Ok(output) => output.instructions().iter().for_each(|line| println!("{line}")),
            Err(error) => {
                // An instruction is one line.
                let message = format!("{error:#}").replace('\n', "; ");
                println!("cargo::error={message}");
                process::exit(1);
            }
        }
    }

    /// Compiles the module into cargo's directory for this package's build script.
    ///
    /// # Errors
    ///
    /// When the module cannot be compiled, and outside of build scripts.
    pub fn compile(&self) -> Result<Output> {
        let directory = PathBuf::from(variable("OUT_DIR")?);
        let target = variable("TARGET")?;
        let module = self.module.display().to_string();
        let name = match &self.name {
            Some(name) => name.clone(),
            None => self.module.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let baseline = [CpuChoice::Baseline];
        let cpus = if self.cpus.is_empty() { &baseline } else { self.cpus.as_slice() };
        let settings = user_settings()?;
        let cache = Arc::new(Cache::new(&settings.cache));
        let mut artifacts = Vec::new();
        for cpu in cpus {
            let mut config = self.config.clone();
            config.target(&target).cpu(cpu.clone()).cache(Some(cache.clone()));
            let artifact = compile(&config, &self.module);
            artifacts.push(
                artifact.map_err(|error| error.context(format!("cannot compile `{module}`")))?,
            );
        }
        for warning in cache.take_warnings() {
            println!("cargo::warning={}", warning.to_string().replace('\n', "; "));
        }
        let file = match artifacts.as_slice() {
            [single] => single.clone(),
            several => {
                let names: Vec<_> = cpus.iter().map(ToString::to_string).collect();
                let parts = several.iter().zip(&names);
                let parts: Vec<_> = parts.map(|(artifact, cpu)| Part { cpu, artifact }).collect();
                container::write(&parts)?
            }
        };
        let artifact = directory.join(format!("{name}.precast"));
        std::fs::write(&artifact, file).map_err(|error| {
            Error::from(error).context(format!("cannot write `{}`", artifact.display()))
        })?;
        let name = variable_name(&name);
        let instructions = vec![
            format!("cargo::rerun-if-changed={module}"),
            format!("cargo::rerun-if-env-changed={CACHE_VARIABLE}"),
            format!("cargo::rerun-if-env-changed={FILE_VARIABLE}"),
            format!("cargo::rustc-env=PRECAST_{name}={}", artifact.display()),
        ];
        Ok(Output { artifact, instructions })
    }
}

impl Output {
    /// The artifact's file.
    pub fn artifact(&self) -> &Path {
        &self.artifact
    }

    /// What to print, one instruction to cargo per line: when to run the script again, and where the
    /// artifact is.
    pub fn instructions(&self) -> &[String] {
        &self.instructions
    }
}

fn compile(config: &Config, module: &Path) -> Result<Vec<u8>> {
    CodeBuilder::file(&Engine::new(config)?, module)?.compile_module_serialized()
}

fn variable(name: &str) -> Result<String> {
    env::var(name).map_err(|error| {
        Error::from(error).context(format!("{name} is not set: this is for cargo's build scripts"))
    })
}

fn variable_name(name: &str) -> String {
    let character = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(character).collect()
}
