//! The commands of other engines. Each is looked for on `PATH` and, when it is not there, named as skipped.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Case;
use super::contender::{Candidate, Contender, line};
use crate::{process, programs};

/// The peer that others are compared with unless said otherwise.
pub const WASMTIME_CACHED: &str = "wasmtime, cached";

/// What a preparation knows.
struct Setting {
    name: &'static str,
    command: PathBuf,
    module: PathBuf,
    arguments: &'static [&'static str],
    /// A folder of the case's own.
    scratch: PathBuf,
}

type Prepare = fn(Setting) -> Result<Contender>;

const PEERS: &[(&str, &str, Prepare)] = &[
    ("wasmtime, no cache", "wasmtime", wasmtime_uncached),
    (WASMTIME_CACHED, "wasmtime", wasmtime_cached),
    ("wasmtime, precompiled", "wasmtime", wasmtime_precompiled),
    ("wasmer, cached", "wasmer", wasmer_cached),
    ("wazero, cached", "wazero", wazero_cached),
    ("iwasm, interpreter", "iwasm", iwasm),
];

/// The peers, in a fixed order.
pub fn candidates(
    wasmtime: Option<&Path>,
    case: &Case,
    module: &Path,
    scratch: &Path,
) -> Vec<Candidate> {
    let made = |&(name, program, prepare): &(&'static str, &'static str, Prepare)| {
        let given = if program == "wasmtime" { wasmtime.map(Path::to_owned) } else { None };
        let (module, scratch, arguments) = (module.to_owned(), scratch.to_owned(), case.arguments);
        Candidate::new(name, move || {
            let command = given.or_else(|| programs::on_path(program));
            let command = command.with_context(|| format!("no `{program}` on PATH"))?;
            prepare(Setting { name, command, module, arguments, scratch })
        })
    };
    PEERS.iter().map(made).collect()
}

/// What the peers that are there call themselves.
pub fn versions(wasmtime: Option<&Path>) -> Vec<String> {
    let mut programs: Vec<&str> = PEERS.iter().map(|&(_, program, _)| program).collect();
    programs.dedup();
    let version = |program: &str| {
        let given = wasmtime.filter(|_| program == "wasmtime").map(Path::to_owned);
        let mut command = Command::new(given.or_else(|| programs::on_path(program))?);
        let option = if program == "wazero" { "version" } else { "--version" };
        let said = process::succeed(command.arg(option)).ok()?;
        Some(format!("{program}: {}", said.lines().next()?.trim()))
    };
    programs.into_iter().filter_map(version).collect()
}

fn wasmtime_uncached(setting: Setting) -> Result<Contender> {
    let own = ["run", "-C", "cache=n"];
    let mut contender = contender(&setting, &own, &setting.module);
    contender.compiles = true;
    contender.try_out()
}

fn wasmtime_cached(setting: Setting) -> Result<Contender> {
    let directory = setting.scratch.join("wasmtime");
    let config = setting.scratch.join("wasmtime.toml");
    fs::write(&config, format!("[cache]\ndirectory = {directory:?}\n"))?;
    let option = format!("cache-config={}", config.display());
    let contender = contender(&setting, &["run", "-C", &option], &setting.module);
    contender.try_out()?.try_out()
}

fn wasmtime_precompiled(setting: Setting) -> Result<Contender> {
    let artifact = setting.scratch.join("module.cwasm");
    process::succeed(
        Command::new(&setting.command).arg("compile").arg(&setting.module).arg("-o").arg(&artifact),
    )?;
    let mut contender = contender(&setting, &["run", "--allow-precompiled"], &artifact);
    contender.artifact = Some(artifact);
    contender.try_out()
}

fn wasmer_cached(setting: Setting) -> Result<Contender> {
    let mut line = line(&setting.command, &["run"], &setting.module, &["--"]);
    line.extend(setting.arguments.iter().map(OsString::from));
    let mut contender = Contender::new(setting.name, line);
    contender.environment.push(("WASMER_CACHE_DIR", setting.scratch.join("wasmer").into()));
    contender.try_out()?.try_out()
}

fn wazero_cached(setting: Setting) -> Result<Contender> {
    let cache = setting.scratch.join("wazero");
    let own = ["run", "-cachedir", &cache.display().to_string()];
    contender(&setting, &own, &setting.module).try_out()?.try_out()
}

fn iwasm(setting: Setting) -> Result<Contender> {
    contender(&setting, &[], &setting.module).try_out()
}

fn contender(setting: &Setting, own: &[&str], module: &Path) -> Contender {
    Contender::new(setting.name, line(&setting.command, own, module, setting.arguments))
}
