//! The guest: what it may use, and how it ends.
#![allow(unsafe_code)] // Runs native code that came with the program.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use precast_artifact::program::{Authority, Directory, Manifest, Variable};
use precast_runtime::{Engine, Error, Instance, Linker, Module, Result, Store, Trap};
use precast_wasi::{DirAccess, I32Exit, Threads, WasiCtx, WasiCtxBuilder};

use crate::segment;

/// The exit code after a trap: what a shell reports for a program that called `abort`.
const TRAP_EXIT_CODE: u8 = 134;

/// Runs the artifact. The exit code is the guest's own.
pub(crate) fn run(manifest: &Manifest, artifact: &'static [u8]) -> Result<ExitCode> {
    let engine = Engine::default();
    // SAFETY: the artifact is a part of the program that the user runs, as trusted as its rest.
    let module = unsafe { Module::from_static(&engine, segment::artifact(artifact)) };
    let module = module.map_err(|error| error.context("cannot run on this machine"))?;
    let mut linker: Linker<WasiCtx> = Linker::new(&engine);
    precast_wasi::add_to_linker(&mut linker, |wasi| wasi)?;
    let mut store = Store::new(&engine, context(manifest)?);
    let threads = Threads::add_to_linker(&mut linker, &mut store, &module, |mut parent| {
        let wasi = parent.data_mut().share();
        Ok(Store::new(parent.engine(), wasi))
    })?;
    let outcome = threads.run_to_exit(linker.instantiate_pre(&module)?, store, start);
    // The process is about to end, which takes back everything at once.
    std::mem::forget((linker, module, engine));
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => end(&manifest.name, error),
    }
}

fn start(store: &mut Store<WasiCtx>, instance: Instance) -> Result<()> {
    for name in ["_initialize", "_start"] {
        if let Some(function) = instance.get_func(&mut *store, name) {
            function.call(&mut *store, &[], &mut [])?;
        }
    }
    Ok(())
}

fn end(name: &str, error: Error) -> Result<ExitCode> {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        // As the system does it: the low byte counts.
        return Ok(ExitCode::from(exit.0 as u8));
    }
    let trapped = error.is::<Trap>();
    let error = error.context(format!("`{name}` failed"));
    if trapped {
        eprintln!("error: {error:?}");
        return Ok(ExitCode::from(TRAP_EXIT_CODE));
    }
    Err(error)
}

/// What the guest may use.
fn context(manifest: &Manifest) -> Result<WasiCtx> {
    let Manifest { name, authority, directories, environment } = manifest;
    let mut builder = WasiCtx::builder();
    let mut arguments = std::env::args_os().map(|argument| {
        let text = argument.into_string();
        text.map_err(|argument| Error::msg(format!("the argument {argument:?} is not UTF-8")))
    });
    builder.arg(arguments.next().transpose()?.unwrap_or_else(|| name.clone()));
    for argument in arguments {
        builder.arg(argument?);
    }
    if *authority == Authority::Ambient {
        ambient(&mut builder)?;
    }
    for Variable { name, value } in environment {
        match (value, std::env::var(name)) {
            (Some(value), _) => builder.env(name, value),
            (None, Ok(value)) => builder.env(name, value),
            (None, Err(_)) => &mut builder,
        };
    }
    for Directory { host, guest } in directories {
        builder.preopened_dir(host, guest, DirAccess::ReadWrite).map_err(|error| {
            Error::from(error).context(format!("cannot open the directory `{host}`"))
        })?;
    }
    Ok(builder.inherit_stdio().build())
}

/// Gives the guest what belongs to whoever starts the program: the environment, the current
/// directory, and the directories of what the command line names outside of that.
fn ambient(builder: &mut WasiCtxBuilder) -> Result<()> {
    builder.inherit_env();
    let arguments: Vec<String> =
        std::env::args_os().skip(1).flat_map(OsString::into_string).collect();
    // Guests look for a relative path in the last directory whose name fits.
    for directory in named_directories(&arguments).iter().map(String::as_str).chain(["."]) {
        builder.preopened_dir(directory, directory, DirAccess::ReadWrite).map_err(|error| {
            Error::from(error).context(format!("cannot open the directory `{directory}`"))
        })?;
    }
    Ok(())
}

/// The directories outside of the current one that arguments name, or that hold what they name, as
/// the arguments spell them. An argument can be `--option=path`.
fn named_directories(arguments: &[String]) -> Vec<String> {
    let mut directories = Vec::new();
    for argument in arguments {
        let value = argument.split_once('=').map(|(_, value)| value);
        for text in [Some(argument.as_str()), value].into_iter().flatten() {
            let path = Path::new(text);
            if !(path.is_absolute() || path.starts_with("..")) {
                continue;
            }
            let directory = if path.is_dir() { Some(path) } else { path.parent() };
            let directory = directory.filter(|directory| directory.is_dir());
            let Some(directory) = directory.and_then(Path::to_str) else { continue };
            if !directories.iter().any(|known| known == directory) {
                directories.push(directory.to_owned());
            }
        }
    }
    directories
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arguments_name_outside_of_the_current_directory_is_found() {
        let arguments =
            ["in.svg", "/proc/self/status", "--out=/tmp", "-x=1", "../x", "/tmp/none/y"];
        let found = named_directories(&arguments.map(str::to_owned));
        assert_eq!(found, ["/proc/self", "/tmp", ".."]);
    }
}
