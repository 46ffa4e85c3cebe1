//! `precast run`: runs a program.

use std::mem;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use precast::artifact::image::ImageError;
use precast::settings::file::user_settings;
use precast::wasi::{DirAccess, I32Exit, Threads, WasiCtx};
use precast::{
    CodeBuilder, Engine, Error, Func, Instance, Linker, LoadError, LoadOptions, Module, Placement,
    Result, SourceError, Store, StoreContextMut, StoreLimits, StoreLimitsBuilder, Trap, Val,
    ValType,
};

use crate::cache_args::CacheArgs;
use crate::context::{About, Context};
use crate::keys::TrustArgs;
use crate::output::print_line;
use crate::session::Session;
use crate::settings_args::SettingsArgs;
use crate::time_args::TimeArgs;
use crate::watchdog::Watchdog;
use crate::{output, progress};

/// The exit code after a trap: what a shell reports for a program that called `abort`.
const TRAP_EXIT_CODE: u8 = 134;

/// Run a WASI program: a module or an artifact.
///
/// A module is compiled when it is run for the first time; later runs find it in the cache and start
/// at once.
///
/// The program sees no files, no environment variables and no network except what is given
/// to it here. The exit code is the program's own; 134 after a trap.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast run app.wasm --version                 options behind the program are the program's
  precast run --dir . --dir /data::/in app.wasm  this directory as `.`, /data as /in
  precast run --invoke add math.wat 1 2          call an exported function and print its results
  precast run --cache require app.wasm           run only what has been compiled before
  precast run --timeout 10s app.wasm             stop it when it takes longer
  precast run --trust-key team.pub app.precast   run only what this key has signed
An artifact runs with `--fuel` or `--timeout` when it was compiled with `--consume-fuel` or
`--epoch-interruption`.")]
pub(crate) struct Run {
    /// Let the program use a directory, under its own name or as GUEST (repeatable)
    #[arg(long, value_name = "HOST[::GUEST]")]
    dir: Vec<String>,

    /// Set an environment variable, or pass this process's own on (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,

    /// The program's name as it sees it [default: the file's name]
    #[arg(long, value_name = "NAME")]
    argv0: Option<String>,

    /// Call this exported function with the arguments as numbers, instead of the program's start
    #[arg(long, value_name = "NAME")]
    invoke: Option<String>,

    /// What to do about imports that nobody provides
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = UnknownImports::Deny)]
    unknown_imports: UnknownImports,

    /// Stop the program after it has executed about so many operators
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,

    /// Stop the program after this time, such as `1.5s` or `2min`
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,

    /// The most memory that all memories and tables of the program may take together, such as
    /// `64MiB`
    #[arg(long, value_name = "SIZE")]
    max_memory: Option<ByteSize>,

    /// Compare all of the code with its digest before running it, and read the module even when
    /// the cache knows the unchanged file
    #[arg(long)]
    verify: bool,

    /// Copy the code into memory instead of mapping its file
    #[arg(long)]
    copy: bool,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    cache: CacheArgs,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    time: TimeArgs,

    /// A WebAssembly module (binary or text) or an artifact
    program: PathBuf,

    /// Arguments of the program
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// What to do about imports that nobody provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum UnknownImports {
    /// Refuse to run the program
    Deny,
    /// Trap when one is called
    Trap,
    /// Functions that return zeros
    Zero,
}

/// What the store of the program holds.
struct Host {
    wasi: WasiCtx,
    /// Of all threads together.
    limits: Arc<Mutex<StoreLimits>>,
}

/// How `run` gets from a module to code: [`compile`] or [`known_module`].
pub(crate) type FindCode = fn(CodeBuilder<'_>) -> Result<Option<Module>>;

/// From the cache or, if it has none, from the compiler.
pub(crate) fn compile(builder: CodeBuilder<'_>) -> Result<Option<Module>> {
    progress::show(builder, |builder| builder.compile_module()).map(Some)
}

/// Only what the cache has of a file that it knows.
pub(crate) fn known_module(builder: CodeBuilder<'_>) -> Result<Option<Module>> {
    builder.known_module()
}

impl Run {
    /// Runs the program; `None` when `find_code` has none for it.
    pub(crate) fn execute(self, find_code: FindCode) -> Result<Option<ExitCode>> {
        let session = self.session()?;
        let module = self.load(&session.engine, find_code);
        let Some(module) = module.transpose() else {
            session.hand_over();
            return Ok(None);
        };
        session.print_warnings();
        let module = module?;
        let engine = &session.engine;
        let mut linker = Linker::new(engine);
        precast::wasi::add_imports_to_linker(&mut linker, &module, |host: &mut Host| {
            &mut host.wasi
        })?;
        let interrupted = Arc::new(AtomicBool::new(false));
        let mut store = self.store(engine, Arc::clone(&interrupted))?;
        let threads = Threads::add_to_linker(&mut linker, &mut store, &module, thread_store)?;
        match self.unknown_imports {
            UnknownImports::Deny => {}
            UnknownImports::Trap => linker.define_unknown_imports_as_traps(&module)?,
            UnknownImports::Zero => linker.define_unknown_imports_as_default_values(&module)?,
        }
        let run = Arc::new(self);
        let watchdog = match run.timeout {
            Some(limit) => {
                let stop = {
                    let (engine, stopper) = (engine.clone(), threads.stopper());
                    move || {
                        interrupted.store(true, Ordering::Relaxed);
                        engine.increment_epoch();
                        stopper.stop();
                    }
                };
                let error = run.limit_reached(Trap::Interrupt.into());
                let give_up = move || {
                    output::print_error(&error);
                    std::process::exit(TRAP_EXIT_CODE.into());
                };
                Some(Watchdog::start(limit, stop, give_up)?)
            }
            None => None,
        };
        let outcome = linker.instantiate_pre(&module).and_then(|instance| {
            let run = Arc::clone(&run);
            threads.run_to_exit(instance, store, move |store, instance| run.start(store, instance))
        });
        drop(watchdog);
        session.finish();
        // The process is about to end, which takes back everything at once.
        mem::forget((linker, module, session));
        match outcome {
            Ok(()) => Ok(Some(ExitCode::SUCCESS)),
            Err(error) => run.finish(error).map(Some),
        }
    }

    fn store(&self, engine: &Engine, interrupted: Arc<AtomicBool>) -> Result<Store<Host>> {
        let mut limits = StoreLimitsBuilder::new();
        if let Some(ByteSize(bytes)) = self.max_memory {
            limits = limits.total_size(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        let limits = Arc::new(Mutex::new(limits.build()));
        let mut store = limited_store(engine, Host { wasi: self.wasi(interrupted)?, limits });
        if engine.config().compiler_settings().consume_fuel {
            store.set_fuel(self.fuel.unwrap_or(u64::MAX))?;
        }
        Ok(store)
    }

    fn session(&self) -> Result<Session> {
        let mut settings = user_settings()?;
        self.settings.apply(&mut settings)?;
        settings.compiler.consume_fuel |= self.fuel.is_some();
        settings.compiler.epoch_interruption |= self.timeout.is_some();
        self.cache.apply(&mut settings.cache);
        Session::new(settings)
    }

    /// What the file holds decides; its name only what is tried first, so that an artifact is not
    /// looked up in the cache and a module that the cache knows is not read.
    fn load(&self, engine: &Engine, find_code: FindCode) -> Result<Option<Module>> {
        if !self.trust.trusted.is_empty() {
            return Module::from_signed_file(engine, &self.trust.trusted, &self.program)
                .map(Some)
                .context(|| format!("cannot load `{}`", self.program.display()));
        }
        if self.program.extension().is_none_or(|extension| extension != "precast") {
            return match self.code(engine, find_code) {
                Err(error) if is_artifact(&error) => self.load_artifact(engine).map(Some),
                module => module,
            };
        }
        match self.load_artifact(engine) {
            Err(error) if is_no_artifact(&error) => match self.code(engine, find_code) {
                Err(again) if is_artifact(&again) => Err(error),
                module => module,
            },
            module => module.map(Some),
        }
    }

    fn code(&self, engine: &Engine, find_code: FindCode) -> Result<Option<Module>> {
        let timing = self.time.start();
        let builder = CodeBuilder::file(engine, &self.program)?.load_options(self.load_options());
        let module = find_code(timing.measure(builder));
        timing.print(&self.program);
        module.about(&self.program, |path| format!("cannot compile `{path}`"))
    }

    fn load_artifact(&self, engine: &Engine) -> Result<Module> {
        load_trusted(engine, &self.program, &self.load_options())
            .context(|| format!("cannot load `{}`", self.program.display()))
    }

    fn load_options(&self) -> LoadOptions {
        let placement = if self.copy { Placement::Copy } else { Placement::Map };
        LoadOptions { placement, verify: self.verify }
    }

    fn wasi(&self, interrupted: Arc<AtomicBool>) -> Result<WasiCtx> {
        let mut builder = WasiCtx::builder();
        builder.interrupted_by(interrupted);
        let file_name = || self.program.file_name().unwrap_or(self.program.as_os_str());
        let argv0 = match &self.argv0 {
            Some(name) => name.clone(),
            None => file_name().to_string_lossy().into_owned(),
        };
        builder.arg(argv0);
        if self.invoke.is_none() {
            builder.args(self.arguments.iter().cloned());
        }
        for variable in &self.env {
            match variable.split_once('=') {
                Some((name, value)) => builder.env(name, value),
                None => match std::env::var(variable) {
                    Ok(value) => builder.env(variable, value),
                    Err(_) => {
                        return Err(Error::msg(format!(
                            "`--env {variable}`: no such variable here; give it a value"
                        )));
                    }
                },
            };
        }
        for directory in &self.dir {
            let (host, guest) = directory.split_once("::").unwrap_or((directory, directory));
            builder
                .preopened_dir(host, guest, DirAccess::ReadWrite)
                .context(|| format!("cannot open the directory `{host}` of `--dir`"))?;
        }
        Ok(builder.inherit_stdio().build())
    }

    fn start(&self, store: &mut Store<Host>, instance: Instance) -> Result<()> {
        if let Some(initialize) = instance.get_func(&mut *store, "_initialize") {
            initialize.call(&mut *store, &[], &mut [])?;
        }
        if let Some(name) = &self.invoke {
            return self.invoke(store, instance, name);
        }
        match instance.get_func(&mut *store, "_start") {
            Some(start) => start.call(&mut *store, &[], &mut []),
            None if !self.arguments.is_empty() => Err(Error::msg(
                "the module is a library (it exports no `_start`), so it takes no arguments; \
                 name a function with `--invoke`",
            )),
            None => Ok(()),
        }
    }

    fn invoke(&self, store: &mut Store<Host>, instance: Instance, name: &str) -> Result<()> {
        let function = instance
            .get_func(&mut *store, name)
            .ok_or_else(|| Error::msg(format!("the module exports no function `{name}`")))?;
        let parameters = parse_arguments(store, function, &self.arguments)?;
        // Whatever they hold is overwritten.
        let mut results = vec![Val::I32(0); function.ty(&mut *store).results().len()];
        function.call(&mut *store, &parameters, &mut results)?;
        for result in &results {
            print_line!("{}", show(result));
        }
        Ok(())
    }

    /// Turns the way in which the program ended into an exit code, or an error of this command.
    fn finish(&self, error: Error) -> Result<ExitCode> {
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            // As the system does it: the low byte counts.
            return Ok(ExitCode::from(exit.0 as u8));
        }
        let trapped = error.downcast_ref::<Trap>().is_some();
        let error = self.limit_reached(error);
        if trapped {
            output::print_error(&error);
            return Ok(ExitCode::from(TRAP_EXIT_CODE));
        }
        Err(error)
    }

    /// Says of an error of the program which limit was reached, if it was one.
    fn limit_reached(&self, error: Error) -> Error {
        let program = self.program.display();
        let message = match (error.downcast_ref::<Trap>(), self.fuel, self.timeout) {
            (Some(Trap::OutOfFuel), Some(fuel), _) => {
                format!("`{program}` has used up its fuel of {fuel} (`--fuel`)")
            }
            (Some(Trap::Interrupt), _, Some(timeout)) => {
                let timeout = humantime::format_duration(timeout);
                format!("`{program}` took longer than {timeout} (`--timeout`)")
            }
            _ => format!("`{program}` failed"),
        };
        error.context(message)
    }
}

/// The store of a new thread of the program. It gets half of its parent's fuel.
fn thread_store(mut parent: StoreContextMut<'_, Host>) -> Result<Store<Host>> {
    let Host { wasi, limits } = parent.data_mut();
    let host = Host { wasi: wasi.share(), limits: Arc::clone(limits) };
    let mut store = limited_store(parent.engine(), host);
    if parent.engine().config().compiler_settings().consume_fuel {
        let fuel = parent.get_fuel()?;
        parent.set_fuel(fuel - fuel / 2)?;
        store.set_fuel(fuel / 2)?;
    }
    Ok(store)
}

fn limited_store(engine: &Engine, host: Host) -> Store<Host> {
    let mut store = Store::new(engine, host);
    store.limiter(|host| &mut host.limits);
    store.set_epoch_deadline(1);
    store
}

fn is_artifact(error: &Error) -> bool {
    matches!(error.downcast_ref(), Some(SourceError::Artifact(_)))
}

fn is_no_artifact(error: &Error) -> bool {
    matches!(error.downcast_ref(), Some(LoadError::Image(ImageError::NotAnArtifact)))
}

/// Loads an artifact that the user asked to run.
#[allow(unsafe_code)] // Runs native code from a file.
fn load_trusted(engine: &Engine, path: &std::path::Path, options: &LoadOptions) -> Result<Module> {
    // SAFETY: whoever names an artifact on the command line trusts it as they would any program
    // that they run; the documentation of the command says so.
    unsafe { Module::deserialize_file_with(engine, path, options) }
}

fn parse_arguments(
    store: &mut Store<Host>,
    function: Func,
    arguments: &[String],
) -> Result<Vec<Val>> {
    let ty = function.ty(&mut *store);
    let expected = ty.params().len();
    if arguments.len() != expected {
        let given = arguments.len();
        return Err(Error::msg(format!(
            "the function takes {expected} arguments, {given} were given"
        )));
    }
    arguments.iter().zip(ty.params()).map(|(text, ty)| parse_value(text, &ty)).collect()
}

fn parse_value(text: &str, ty: &ValType) -> Result<Val> {
    let bad = || Error::msg(format!("`{text}` is not a value of type {ty}"));
    Ok(match ty {
        ValType::I32 => {
            let signed = text.parse::<i32>().ok();
            Val::I32(signed.or_else(|| text.parse::<u32>().ok().map(|v| v as i32)).ok_or_else(bad)?)
        }
        ValType::I64 => {
            let signed = text.parse::<i64>().ok();
            Val::I64(signed.or_else(|| text.parse::<u64>().ok().map(|v| v as i64)).ok_or_else(bad)?)
        }
        ValType::F32 => Val::F32(text.parse::<f32>().map_err(|_| bad())?.to_bits()),
        ValType::F64 => Val::F64(text.parse::<f64>().map_err(|_| bad())?.to_bits()),
        _ => {
            return Err(Error::msg(format!(
                "values of type {ty} cannot be given on the command line"
            )));
        }
    })
}

fn show(value: &Val) -> String {
    match value {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        other => format!("{other:?}"),
    }
}
