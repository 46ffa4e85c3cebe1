//! Generated code: what it costs to make, and how fast it is.
//!
//! Every measurement is a child process of its own ([`child`]), the same program for each engine, so that memory
//! and processor time belong to one engine. [`suite`] names the programs.

pub mod change;
pub mod child;
pub mod compile;
pub mod instructions;
pub mod run;
pub mod suite;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use crate::engine::{self, Cpu, Setup};
use crate::rounds::Rounds;
use crate::table::{self, Table};
use crate::{machine, process, programs};
use change::Changes;
use child::Task;
use compile::Compilations;
use run::Runs;
use suite::{LARGE, PROGRAMS};

/// What to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    rounds: Rounds,
    /// Rounds for compiling modules over 4 MB
    #[arg(long, value_name = "N", default_value_t = 3)]
    large_rounds: usize,
    /// Only this program or module (repeatable)
    #[arg(long = "program", value_name = "NAME")]
    programs: Vec<String>,
    /// Only this engine (repeatable)
    #[arg(long = "engine", value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(engine::COMPILERS.iter().chain(engine::ON_REQUEST)))]
    engines: Vec<String>,
    /// Only compile again what has changed a little
    #[arg(long, conflicts_with_all = ["only_compile", "only_run"])]
    only_change: bool,
    /// Only compile
    #[arg(long, conflicts_with = "only_run")]
    only_compile: bool,
    /// Only run
    #[arg(long)]
    only_run: bool,
    /// Count instructions too, under valgrind, which takes about a minute for each program and engine
    #[arg(long)]
    instructions: bool,
    /// Compile for the least CPU of this architecture, as the count of instructions always does
    #[arg(long)]
    baseline: bool,
    /// Threads that compile [default: one for each CPU]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// Runs everything and returns the report, in Markdown.
///
/// # Errors
///
/// When a scratch folder cannot be made or something fails in a round that did not fail when it was tried out.
/// What cannot be done at all is in the report, by name and with the reason.
pub fn run(options: &Options) -> Result<String> {
    let mut bench = Bench::new(options)?;
    let mut report = format!("{}\n\n", machine::describe());
    if !options.only_run && !options.only_change {
        writeln!(report, "### Compiling\n\n{}", bench.compile()?)?;
    }
    if !options.only_run && !options.only_compile {
        writeln!(report, "### Compiling after a change\n\n{}", bench.change()?)?;
    }
    if !options.only_compile && !options.only_change {
        writeln!(report, "### Running\n\n{}", bench.run()?)?;
    }
    for skipped in &bench.skipped {
        writeln!(report, "- skipped: {}", table::one_line(skipped))?;
    }
    Ok(report)
}

struct Bench<'a> {
    options: &'a Options,
    engines: Vec<&'static str>,
    setup: Setup,
    scratch: tempfile::TempDir,
    skipped: Vec<String>,
}

impl Bench<'_> {
    fn new(options: &Options) -> Result<Bench<'_>> {
        let chosen =
            |name: &&str| options.engines.is_empty() || options.engines.iter().any(|e| e == name);
        let cpu = if options.baseline { Cpu::Baseline } else { Cpu::Host };
        let asked = |name: &&str| options.engines.iter().any(|engine| engine == name);
        let on_request = engine::ON_REQUEST.iter().copied().filter(asked);
        Ok(Bench {
            options,
            engines: engine::COMPILERS.iter().copied().filter(chosen).chain(on_request).collect(),
            setup: Setup { cpu, jobs: options.jobs, ..Setup::default() },
            scratch: tempfile::Builder::new().prefix("precast-bench-").tempdir()?,
            skipped: Vec::new(),
        })
    }

    fn chosen(&self, name: &str) -> bool {
        self.options.programs.is_empty() || self.options.programs.iter().any(|p| p == name)
    }

    fn compile(&mut self) -> Result<Table> {
        let mut modules: Vec<&str> = PROGRAMS
            .iter()
            .filter(|p| self.chosen(p.name) || self.chosen(p.module))
            .map(|p| p.module)
            .collect();
        modules.dedup();
        modules.extend(LARGE.iter().copied().filter(|name| self.chosen(name)));
        let mut compilations = Compilations::new();
        for name in modules {
            let wasm = match programs::module(name) {
                Ok(wasm) => wasm,
                Err(error) => {
                    self.skipped.push(format!("{name}: {error:#}"));
                    continue;
                }
            };
            eprintln!("{name}: compiling");
            let engines = self.able(name, &wasm);
            let large = wasm.metadata()?.len() > 4_000_000;
            let rounds = match large {
                true => Rounds { rounds: self.options.large_rounds, warm_up: 0 },
                false => self.options.rounds,
            };
            compilations.measure(rounds, name, &wasm, &engines, self.setup, self.scratch.path())?;
        }
        Ok(compilations.finish())
    }

    fn change(&mut self) -> Result<Table> {
        let mut changes = Changes::new();
        let chosen: Vec<&str> = LARGE.iter().copied().filter(|name| self.chosen(name)).collect();
        for name in chosen {
            match programs::module(name) {
                Ok(wasm) => {
                    eprintln!("{name}: changing");
                    let rounds = Rounds { rounds: self.options.large_rounds, warm_up: 0 };
                    changes.measure(rounds, name, &wasm, self.setup, self.scratch.path())?;
                }
                Err(error) => self.skipped.push(format!("{name}: {error:#}")),
            }
        }
        Ok(changes.finish())
    }

    /// The engines that can compile a module: each is tried out once.
    fn able(&mut self, name: &str, wasm: &Path) -> Vec<&'static str> {
        let artifact = self.scratch.path().join("try");
        let mut able = Vec::new();
        for &engine in &self.engines {
            let task = Task::compile(engine, self.setup, wasm, &artifact);
            match task.command(&[]).and_then(|mut command| process::succeed(&mut command)) {
                Ok(_) => able.push(engine),
                Err(error) => {
                    self.skipped.push(format!("{name}, compiling with {engine}: {error:#}"))
                }
            }
        }
        able
    }

    fn run(&mut self) -> Result<Table> {
        let mut count = self.options.instructions;
        if count && let Err(error) = instructions::available() {
            self.skipped.push(format!("instructions: {error:#}"));
            count = false;
        }
        let mut runs = Runs::new(self.options.rounds, count);
        let chosen: Vec<_> = PROGRAMS.iter().filter(|p| self.chosen(p.name)).collect();
        for program in chosen {
            if let Err(error) = programs::module(program.module) {
                self.skipped.push(format!("{}: {error:#}", program.name));
                continue;
            }
            eprintln!("{}: running", program.name);
            runs.measure(program, &self.engines, self.setup, self.scratch.path())?;
        }
        self.skipped.append(&mut runs.skipped);
        Ok(runs.finish())
    }
}
