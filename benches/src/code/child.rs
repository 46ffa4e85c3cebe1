//! One measurement in a process of its own: memory and processor time are one engine's alone.
//!
//! The parent starts this same program with a [`Task`]; the child writes what it measured into a file, since the
//! standard streams are the guest's.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::engine::{self, Cpu, Setup};
use crate::process;

/// What a child does. Its environment must be the one that [`command`](Task::command) gives it.
#[derive(Clone, Debug, clap::Args)]
pub struct Task {
    /// What is measured
    #[arg(long, value_enum)]
    step: Step,
    /// With which engine
    #[arg(long)]
    engine: String,
    /// For the least CPU of the architecture
    #[arg(long)]
    baseline: bool,
    /// Threads that compile
    #[arg(long)]
    jobs: Option<usize>,
    /// The module to compile
    #[arg(long, required_if_eq("step", "compile"))]
    wasm: Option<PathBuf>,
    /// Compile through the cache in this folder
    #[arg(long, requires = "wasm")]
    cache: Option<PathBuf>,
    /// Use and keep functions there
    #[arg(long, requires = "cache")]
    functions: bool,
    /// The artifact to write or to run
    #[arg(long)]
    artifact: PathBuf,
    /// Where the measurement is written
    #[arg(long)]
    report: PathBuf,
    /// The folder that the guest gets as `.`
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The guest's arguments, its name first
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Step {
    /// From the module's file to the artifact's.
    Compile,
    /// Nothing but making an instance, to be subtracted where a whole process is counted.
    Load,
    /// `_start` of an instance that is there already.
    Run,
}

/// What a child measured.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Wall time.
    pub wall: Duration,
    /// Time on CPUs outside the kernel, of all threads.
    pub user: Duration,
    /// Time on CPUs inside the kernel, of all threads.
    pub system: Duration,
}

impl Task {
    /// Compiles a module.
    pub fn compile(engine: &str, setup: Setup, wasm: &Path, artifact: &Path) -> Task {
        Task {
            step: Step::Compile,
            wasm: Some(wasm.to_owned()),
            ..Task::new(engine, setup, artifact)
        }
    }

    /// Runs an artifact, or only makes it ready to run.
    pub fn run(
        step: Step,
        engine: &str,
        setup: Setup,
        artifact: &Path,
        folder: Option<&Path>,
        arguments: Vec<String>,
    ) -> Task {
        let folder = folder.map(Path::to_owned);
        Task { step, folder, arguments, ..Task::new(engine, setup, artifact) }
    }

    fn new(engine: &str, setup: Setup, artifact: &Path) -> Task {
        Task {
            step: Step::Load,
            engine: engine.to_owned(),
            baseline: setup.cpu == Cpu::Baseline,
            jobs: setup.jobs,
            wasm: None,
            cache: None,
            functions: false,
            artifact: artifact.to_owned(),
            report: artifact.with_extension("report"),
            folder: None,
            arguments: Vec::new(),
        }
    }

    /// Compiles through the cache in a folder, with or without the functions in it. What comes of it is there.
    pub fn through(&mut self, cache: &Path, functions: bool) {
        self.cache = Some(cache.to_owned());
        self.functions = functions;
    }

    /// Compiles another module.
    pub fn set_module(&mut self, wasm: &Path) {
        self.wasm = Some(wasm.to_owned());
    }

    /// The command line of this program that does the task, behind these words.
    ///
    /// # Errors
    ///
    /// When the path of this program is not known.
    pub fn command(&self, before: &[&str]) -> Result<Command> {
        let own = env::current_exe()?;
        let mut command = match before {
            [] => Command::new(own),
            [program, options @ ..] => {
                let mut command = Command::new(program);
                command.args(options).arg(own);
                command
            }
        };
        command.args(["child", "--engine", &self.engine, "--step"]);
        command.arg(
            clap::ValueEnum::to_possible_value(&self.step).expect("no step is hidden").get_name(),
        );
        command.arg("--artifact").arg(&self.artifact).arg("--report").arg(&self.report);
        if let Some(wasm) = &self.wasm {
            command.arg("--wasm").arg(wasm);
        }
        if let Some(cache) = &self.cache {
            command.arg("--cache").arg(cache);
        }
        if self.functions {
            command.arg("--functions");
        }
        if self.baseline {
            command.arg("--baseline");
        }
        if let Some(jobs) = self.jobs {
            command.args(["--jobs", &jobs.to_string()]).env("RAYON_NUM_THREADS", jobs.to_string());
        }
        if let Some(folder) = &self.folder {
            command.arg("--folder").arg(folder);
        }
        command.arg("--").args(&self.arguments);
        Ok(command)
    }

    /// What the child wrote.
    ///
    /// # Errors
    ///
    /// When it wrote nothing.
    pub fn read_report(&self) -> Result<Report> {
        let text = fs::read_to_string(&self.report).context("the child has left no report")?;
        let mut numbers = text.split_whitespace().map(|n| n.parse().map(Duration::from_nanos));
        let mut next =
            || numbers.next().context("the child's report is too short")?.context("bad report");
        Ok(Report { wall: next()?, user: next()?, system: next()? })
    }

    /// Does the task, in the child.
    ///
    /// # Errors
    ///
    /// When the engine refuses something, or the guest fails.
    pub fn execute(&self) -> Result<()> {
        let cpu = if self.baseline { Cpu::Baseline } else { Cpu::Host };
        let engine =
            engine::by_name(&self.engine, Setup { cpu, jobs: self.jobs, ..Setup::default() })?;
        if self.step == Step::Compile {
            let wasm = self.wasm.as_deref().context("no module to compile")?;
            if let Some(cache) = &self.cache {
                return self.time(|| engine::warm(cache, self.functions, self.jobs, wasm));
            }
            return self.time(|| engine.compile(wasm, &self.artifact));
        }
        let program = engine.load(&self.artifact)?;
        let instance = program.command(&self.arguments, self.folder.as_deref())?;
        match self.step {
            Step::Run => self.time(|| instance.run()),
            _ => Ok(()),
        }
    }

    fn time(&self, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let (user, system) = process::own_time();
        let start = Instant::now();
        run()?;
        let wall = start.elapsed();
        let (user_after, system_after) = process::own_time();
        let nanos = [wall, user_after - user, system_after - system]
            .map(|time| time.as_nanos().to_string());
        fs::write(&self.report, nanos.join(" ")).context("cannot write the report")
    }
}
