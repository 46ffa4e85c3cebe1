//! An engine inside a host program: loading, instances, calls.
//!
//! All engines live in this one process and take turns; a measurement is a loop that is long enough for the clock,
//! divided by its length.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::engine::{self, Allocation, Call, Engine, Program, References, Setup, Work};
use crate::rounds::{Rounds, interleaved};
use crate::statistics::{least, median, paired_ratio};
use crate::table::{self, Table, ratio, time};
use crate::{machine, programs};

/// The modules that are loaded and instantiated.
const MODULES: &[&str] = &["hello", "resvg", "python", "esbuild"];

/// Modules that are only there when they are asked for, because each engine takes long to compile them.
const MORE_MODULES: &[&str] = &["ruby", "yosys"];

/// The module with calls in both directions.
const CALLS: &str = "calls";

/// The modules that work with references and objects.
const HEAP: &str = "heap";

/// How long the loop of one measurement is at least.
const LOOP: Duration = Duration::from_millis(4);

/// What to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    rounds: Rounds,
    /// Only this module (repeatable; `calls` for the calls, `heap` for references and objects)
    #[arg(long = "module", value_name = "NAME")]
    modules: Vec<String>,
    /// Only this engine (repeatable)
    #[arg(long = "engine", value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(engine::NAMES))]
    engines: Vec<String>,
}

/// Runs everything and returns the report, in Markdown.
///
/// # Errors
///
/// When a scratch folder cannot be made. An engine that cannot do something is in the report, with the reason.
pub fn run(options: &Options) -> Result<String> {
    let machine = machine::describe();
    let scratch = tempfile::Builder::new().prefix("precast-bench-").tempdir()?;
    let mut bench = Bench { rounds: options.rounds, table: empty_table(), skipped: Vec::new() };
    let chosen =
        |name: &str| options.modules.is_empty() || options.modules.iter().any(|m| m == name);
    let fresh = engines(options, Setup::default());
    let pooled = engines(options, Setup { instances: Allocation::Pooled, ..Setup::default() });
    let copying = engines(options, Setup { references: References::Copied, ..Setup::default() });

    if chosen(CALLS) {
        let wasm = scratch.path().join("calls.wasm");
        fs::write(&wasm, wat::parse_file(programs::module(CALLS)?)?)?;
        let built = bench.compile(&fresh, &wasm, scratch.path());
        bench.compare("calls: load, instantiate and first call", &built, first_call);
        for call in Call::ALL {
            bench.calls(call, &built);
        }
    }
    if chosen(HEAP) {
        for work in Work::ALL {
            bench.heap("counted", work, &fresh, scratch.path())?;
            bench.heap("copied", work, &copying, scratch.path())?;
        }
    }
    let more = MORE_MODULES.iter().filter(|name| options.modules.iter().any(|m| m == *name));
    for name in MODULES.iter().filter(|name| chosen(name)).chain(more).copied() {
        let wasm = match programs::module(name) {
            Ok(wasm) => wasm,
            Err(error) => {
                bench.skipped.push(format!("{name}: {error:#}"));
                continue;
            }
        };
        let built = bench.compile(&fresh, &wasm, scratch.path());
        bench.compare(&format!("{name}: load"), &built, |built| built.load().map(drop));
        bench.instances(&format!("{name}: instantiate, fresh"), &built);
        let built = bench.compile(&pooled, &wasm, scratch.path());
        bench.instances(&format!("{name}: instantiate, reused"), &built);
    }

    let mut report = format!("{machine}\n\n{}\n", bench.table);
    for skipped in &bench.skipped {
        writeln!(report, "- skipped: {}", table::one_line(skipped))?;
    }
    Ok(report)
}

fn empty_table() -> Table {
    Table::new(2, ["operation", "engine", "time", "least", "of wasmtime", "paired"])
}

fn engines(options: &Options, setup: Setup) -> Vec<Result<Box<dyn Engine>>> {
    let chosen =
        |name: &&&str| options.engines.is_empty() || options.engines.iter().any(|e| e == **name);
    engine::NAMES.iter().filter(chosen).map(|name| engine::by_name(name, setup)).collect()
}

/// An engine and a module that it has compiled.
struct Built<'a> {
    engine: &'a dyn Engine,
    artifact: PathBuf,
}

impl Built<'_> {
    fn load(&self) -> Result<Box<dyn Program>> {
        self.engine.load(&self.artifact)
    }
}

fn first_call(built: &Built) -> Result<()> {
    built.load()?.calls()?.repeat(Call::In, 1)
}

/// One engine's part in a comparison: something that can be repeated.
struct Part<'a> {
    engine: &'static str,
    repeat: Box<dyn FnMut(u32) -> Result<()> + 'a>,
    /// Repetitions in one measurement.
    times: u32,
}

struct Bench {
    rounds: Rounds,
    table: Table,
    skipped: Vec<String>,
}

impl Bench {
    fn compile<'a>(
        &mut self,
        engines: &'a [Result<Box<dyn Engine>>],
        wasm: &Path,
        scratch: &Path,
    ) -> Vec<Built<'a>> {
        let stem = wasm.file_stem().unwrap_or(wasm.as_os_str()).display().to_string();
        let mut built = Vec::new();
        for engine in engines {
            let engine = match engine {
                Ok(engine) => &**engine,
                Err(error) => {
                    self.skipped.push(format!("{stem}: {error:#}"));
                    continue;
                }
            };
            // Where instances come from does not change the code, so both kinds of engines share it.
            let artifact = scratch.join(format!("{stem}.{}", engine.name()));
            let compiled = if artifact.exists() {
                Ok(())
            } else {
                eprintln!("{stem}: compiling with {}", engine.name());
                engine.compile(wasm, &artifact)
            };
            match compiled {
                Ok(()) => built.push(Built { engine, artifact }),
                Err(error) => self.skipped.push(format!("{stem}, {}: {error:#}", engine.name())),
            }
        }
        built
    }

    /// Compares an operation on what each engine has built.
    fn compare(
        &mut self,
        operation: &str,
        built: &[Built],
        run: impl Fn(&Built) -> Result<()> + Copy,
    ) {
        let parts = built.iter().map(|built| {
            let repeat = move |n| (0..n).try_for_each(|_| run(built));
            Part { engine: built.engine.name(), repeat: Box::new(repeat), times: 1 }
        });
        self.measure(operation, parts.collect());
    }

    fn instances(&mut self, operation: &str, built: &[Built]) {
        let programs = self.each(operation, built, Built::load);
        let instances = programs.iter().map(|(engine, program)| (*engine, program.prepare()));
        let mut parts = Vec::new();
        for (engine, instances) in instances {
            match instances {
                Ok(mut instances) => {
                    let repeat = move |n| (0..n).try_for_each(|_| instances.one());
                    parts.push(Part { engine, repeat: Box::new(repeat), times: 1 });
                }
                Err(error) => self.skipped.push(format!("{operation}, {engine}: {error:#}")),
            }
        }
        self.measure(operation, parts);
    }

    fn calls(&mut self, call: Call, built: &[Built]) {
        let programs = self.each(call.name(), built, Built::load);
        let mut parts = Vec::new();
        for (engine, program) in &programs {
            match program.calls() {
                Ok(mut calls) => {
                    let repeat = move |n| calls.repeat(call, n);
                    parts.push(Part { engine, repeat: Box::new(repeat), times: 1 });
                }
                Err(error) => self.skipped.push(format!("{}, {engine}: {error:#}", call.name())),
            }
        }
        self.measure(call.name(), parts);
    }

    /// Compares work with references that are managed in one way, as `managed` says.
    fn heap(
        &mut self,
        managed: &str,
        work: Work,
        engines: &[Result<Box<dyn Engine>>],
        scratch: &Path,
    ) -> Result<()> {
        let wasm = scratch.join(format!("{}-{managed}.wasm", work.module()));
        fs::write(&wasm, wat::parse_file(programs::module(work.module())?)?)?;
        let built = self.compile(engines, &wasm, scratch);
        let operation = format!("{managed}: {}", work.name());
        let programs = self.each(&operation, &built, Built::load);
        let mut parts = Vec::new();
        for (engine, program) in &programs {
            match program.heap(work) {
                Ok(mut heap) => {
                    let repeat = move |n| heap.repeat(work, n);
                    parts.push(Part { engine, repeat: Box::new(repeat), times: 1 });
                }
                Err(error) => self.skipped.push(format!("{operation}, {engine}: {error:#}")),
            }
        }
        self.measure(&operation, parts);
        Ok(())
    }

    /// What each engine makes of its artifact; failures are skipped by name.
    fn each<'a, T>(
        &mut self,
        operation: &str,
        built: &'a [Built<'a>],
        make: impl Fn(&'a Built<'a>) -> Result<T>,
    ) -> Vec<(&'static str, T)> {
        let mut made = Vec::new();
        for built in built {
            match make(built) {
                Ok(value) => made.push((built.engine.name(), value)),
                Err(error) => {
                    self.skipped.push(format!("{operation}, {}: {error:#}", built.engine.name()))
                }
            }
        }
        made
    }

    /// Finds out how often each part must be repeated, then measures all in rounds, and adds their rows.
    fn measure(&mut self, operation: &str, parts: Vec<Part>) {
        eprintln!("{operation}");
        let mut ready = Vec::new();
        for mut part in parts {
            match calibrate(&mut part) {
                Ok(()) => ready.push(part),
                Err(error) => self.skipped.push(format!("{operation}, {}: {error:#}", part.engine)),
            }
        }
        let measured =
            interleaved(self.rounds, &mut ready, |part| Ok(seconds(part)? / f64::from(part.times)));
        match measured {
            Ok(measured) => self.report(operation, &ready, &measured),
            Err(error) => self.skipped.push(format!("{operation}: {error:#}")),
        }
    }

    fn report(&mut self, operation: &str, parts: &[Part], measured: &[Vec<f64>]) {
        let base =
            parts.iter().position(|part| part.engine == engine::BASE).map(|at| &measured[at]);
        for (part, values) in parts.iter().zip(measured) {
            let mut row = vec![
                operation.to_owned(),
                part.engine.to_owned(),
                time(median(values)),
                time(least(values)),
            ];
            if let Some(base) = base {
                row.push(ratio(median(values) / median(base)));
                row.push(ratio(paired_ratio(values, base)));
            }
            self.table.row(row);
        }
    }
}

fn calibrate(part: &mut Part) -> Result<()> {
    loop {
        if seconds(part)? >= LOOP.as_secs_f64() || part.times >= 1 << 24 {
            return Ok(());
        }
        part.times *= 2;
    }
}

fn seconds(part: &mut Part) -> Result<f64> {
    let start = Instant::now();
    (part.repeat)(part.times)?;
    Ok(start.elapsed().as_secs_f64())
}
