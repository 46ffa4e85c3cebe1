//! `precast cache warm`: compiles modules ahead of their first run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};

use clap::Args;
use indicatif::ProgressBar;
use precast::settings::Settings;
use precast::{CodeBuilder, CpuChoice, Engine, Result, Warmed, cache};
use serde_json::json;

use super::{Scope, print_warnings};
use crate::context::About;
use crate::interrupt::Deferred;
use crate::output::{Format, print_error, print_json, print_text, table};
use crate::progress;
use crate::session::engine_with;
use crate::settings_args::CodeArgs;

/// Compile modules ahead of their first run.
///
/// Give the options that the runs will have: settings that change code make entries of their own. Each
/// module is compiled for every target with every processor. The exit code is 1 when one could not be
/// compiled or kept.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast cache warm app.wasm tool.wasm
  precast cache warm --cpu x86-64-v3 --cpu x86-64-v4 app.wasm
  precast cache warm --cache-dir image/cache *.wasm      a directory for `system-directory`")]
pub(crate) struct Warm {
    /// WebAssembly modules, binary or text
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// Target triple, such as aarch64-unknown-linux-gnu (repeatable) [default: this machine]
    #[arg(long, value_name = "TRIPLE", help_heading = "Code generation")]
    target: Vec<String>,

    /// Processor: `native`, `baseline`, or a name that `precast targets` lists (repeatable)
    /// [default: native]
    #[arg(long, value_name = "NAME", help_heading = "Code generation")]
    cpu: Vec<CpuChoice>,

    #[command(flatten)]
    code: CodeArgs,
}

/// A machine that code is compiled for.
struct Machine {
    target: Option<String>,
    cpu: CpuChoice,
    engine: Engine,
}

/// One module for one machine.
struct Task<'a> {
    file: &'a Path,
    machine: &'a Machine,
    /// Threads that compile it.
    jobs: usize,
}

impl Warm {
    pub(super) fn execute(self, scope: Scope) -> Result<ExitCode> {
        let cache = Arc::new(scope.cache()?);
        let Scope { mut settings, format, .. } = scope;
        self.code.apply(&mut settings)?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = settings.runtime.jobs.unwrap_or(processors).max(1);
        let machines = self.machines(&settings, &cache)?;
        let tasks = self.tasks(&machines, jobs);
        let deferred = Deferred::begin();
        let outcomes = run(&tasks, jobs, deferred.interrupted());
        cache.housekeep_if_due();
        drop(deferred);
        print_warnings(&cache);
        print(format, &tasks, &outcomes)?;
        let kept =
            |outcome: &Result<Warmed>| matches!(outcome, Ok(Warmed::Found | Warmed::Compiled));
        Ok(if outcomes.iter().all(kept) { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn machines(&self, settings: &Settings, cache: &Arc<cache::Cache>) -> Result<Vec<Machine>> {
        let targets = match self.target.is_empty() {
            true => vec![settings.compiler.target.clone()],
            false => self.target.iter().cloned().map(Some).collect(),
        };
        let cpus = match self.cpu.is_empty() {
            true => std::slice::from_ref(&settings.compiler.cpu),
            false => &self.cpu,
        };
        let mut machines = Vec::new();
        for target in &targets {
            for cpu in cpus {
                let mut settings = settings.clone();
                settings.compiler.target.clone_from(target);
                settings.compiler.cpu = cpu.clone();
                let engine = engine_with(settings.compiler, settings.runtime, cache)?;
                machines.push(Machine { target: target.clone(), cpu: cpu.clone(), engine });
            }
        }
        Ok(machines)
    }

    /// What is to be done, with threads in proportion to the size of a module: small ones are
    /// compiled side by side, a large one by all threads.
    fn tasks<'a>(&'a self, machines: &'a [Machine], jobs: usize) -> Vec<Task<'a>> {
        let size = |file: &Path| file.metadata().map_or(0, |metadata| metadata.len()).max(1);
        let sizes: Vec<u64> = self.files.iter().map(|file| size(file)).collect();
        let total = sizes.iter().sum::<u64>() * machines.len() as u64;
        let mut tasks = Vec::new();
        for (file, size) in self.files.iter().zip(sizes) {
            let jobs = (jobs as u64).saturating_mul(size).div_ceil(total) as usize;
            tasks.extend(machines.iter().map(|machine| Task { file, machine, jobs }));
        }
        tasks
    }
}

/// Does all tasks, as many at a time as there are jobs.
fn run(tasks: &[Task<'_>], jobs: usize, cancel: &AtomicBool) -> Vec<Result<Warmed>> {
    let bar =
        progress::bar(tasks.len() as u64, "compiling {bar:20} {pos}/{len} modules, {wide_msg}");
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(tasks.len()) {
            let (sender, bar, next) = (sender.clone(), &bar, &next);
            scope.spawn(move || work(tasks, next, cancel, bar, &sender));
        }
    });
    drop(sender);
    bar.finish_and_clear();
    let mut outcomes: Vec<(usize, Result<Warmed>)> = receiver.iter().collect();
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn work(
    tasks: &[Task<'_>],
    next: &AtomicUsize,
    cancel: &AtomicBool,
    bar: &ProgressBar,
    done: &Sender<(usize, Result<Warmed>)>,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(task) = tasks.get(index) else { return };
        let outcome = task.run(cancel, bar);
        bar.inc(1);
        // Whoever asked waits for all of them.
        let _ = done.send((index, outcome));
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target.as_deref().unwrap_or("this machine");
        write!(f, "{target}, {}", self.cpu)
    }
}

impl Task<'_> {
    fn run(&self, cancel: &AtomicBool, bar: &ProgressBar) -> Result<Warmed> {
        let Task { file, machine, jobs } = self;
        let name = file.file_name().unwrap_or(file.as_os_str()).display();
        let functions = |done, total| bar.set_message(format!("{name}: {done}/{total} functions"));
        let on_wait = |holder: &str| bar.set_message(format!("{name}: waiting: {holder}"));
        let builder = CodeBuilder::file(&machine.engine, file)?;
        let builder = builder.jobs(*jobs).progress(&functions).on_wait(&on_wait);
        let builder = builder.cancel_on(cancel);
        builder.warm().about(file, |path| format!("cannot compile `{path}` for {machine}"))
    }
}

fn print(format: Format, tasks: &[Task<'_>], outcomes: &[Result<Warmed>]) -> Result<()> {
    let word = |outcome: &Result<Warmed>| match outcome {
        Ok(Warmed::Found) => "found",
        Ok(Warmed::Compiled) => "compiled",
        Ok(Warmed::NotKept) => "not kept",
        Err(_) => "failed",
    };
    let each = tasks.iter().zip(outcomes);
    if format == Format::Json {
        let each = each.map(|(task, outcome)| {
            json!({
                "file": task.file,
                "target": task.machine.target,
                "cpu": task.machine.cpu.to_string(),
                "outcome": word(outcome),
                "error": outcome.as_ref().err().map(|error| format!("{error:#}")),
            })
        });
        return print_json(&each.collect());
    }
    outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).for_each(print_error);
    let row = |(task, outcome): (&Task<'_>, _)| {
        [word(outcome).to_owned(), task.machine.to_string(), task.file.display().to_string()]
    };
    print_text(&table(&each.map(row).collect::<Vec<_>>()))
}
