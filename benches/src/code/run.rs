//! Run time and instructions of compiled programs, beside their native builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::child::{Step, Task};
use super::instructions;
use super::suite::{Folder, Program};
use crate::engine::{self, Cpu, Setup};
use crate::process::{self, Watch};
use crate::programs;
use crate::rounds::{Rounds, interleaved};
use crate::statistics::{geometric_mean, median, paired_ratio};
use crate::table::{Table, count, ratio, time};

/// From which ratio on a program is called slower, when user time and instructions agree.
const SLOWER: f64 = 1.03;

/// The native build's name in the tables.
const NATIVE: &str = "native, gcc -O2";

/// Collects the measurements of one program after the other.
pub struct Runs {
    table: Table,
    /// For each runner, the ratios of its programs: user time, instructions.
    ratios: Vec<(String, [Vec<f64>; 2])>,
    rounds: Rounds,
    /// Whether instructions are counted.
    instructions: bool,
    /// What could not be run, with the reason.
    pub skipped: Vec<String>,
}

/// What runs a program.
#[derive(Clone, Debug)]
enum Runner {
    Native(PathBuf),
    Engine { name: &'static str, artifact: PathBuf },
}

impl Runner {
    fn name(&self) -> &'static str {
        match self {
            Runner::Native(_) => NATIVE,
            Runner::Engine { name, .. } => name,
        }
    }
}

/// One run.
struct Sample {
    wall: f64,
    user: f64,
    system: f64,
}

impl Runs {
    /// No measurements.
    pub fn new(rounds: Rounds, instructions: bool) -> Runs {
        let table = Table::new(
            2,
            [
                "program",
                "runner",
                "wall",
                "user",
                "system",
                "user, paired",
                "wall, paired",
                "instructions",
                "ratio",
                "verdict",
            ],
        );
        Runs { table, ratios: Vec::new(), rounds, instructions, skipped: Vec::new() }
    }

    /// Runs a program in rounds, with each engine and natively.
    ///
    /// # Errors
    ///
    /// When a scratch folder cannot be made or a run fails that did not fail before.
    pub fn measure(
        &mut self,
        program: &Program,
        engines: &[&'static str],
        setup: Setup,
        scratch: &Path,
    ) -> Result<()> {
        let wasm = programs::module(program.module)?;
        let stage = Stage::new(program)?;
        let mut runners = self.runners(program, &stage, engines, setup, &wasm, scratch);
        let samples = interleaved(self.rounds, &mut runners, |runner| stage.run(runner, setup))?;
        let counts = self.counts(program, &stage, &runners, &wasm, scratch);

        let user: Vec<Vec<f64>> =
            samples.iter().map(|s| s.iter().map(|s| s.user).collect()).collect();
        let wall: Vec<Vec<f64>> =
            samples.iter().map(|s| s.iter().map(|s| s.wall).collect()).collect();
        let base = runners.iter().position(|runner| runner.name() == engine::BASE);
        for (at, runner) in runners.iter().enumerate() {
            let system: Vec<f64> = samples[at].iter().map(|s| s.system).collect();
            let mut row = vec![
                program.name.to_owned(),
                runner.name().to_owned(),
                time(median(&wall[at])),
                time(median(&user[at])),
                time(median(&system)),
            ];
            let slower_by_time = base.map(|base| paired_ratio(&user[at], &user[base]));
            row.push(slower_by_time.map_or(String::new(), ratio));
            row.push(
                base.map_or(String::new(), |base| ratio(paired_ratio(&wall[at], &wall[base]))),
            );
            row.push(counts[at].map_or(String::new(), count));
            let slower_by_count = base.and_then(|base| Some(counts[at]? / counts[base]?));
            row.push(slower_by_count.map_or(String::new(), ratio));
            row.push(verdict(slower_by_time, slower_by_count).to_owned());
            self.table.row(row);
            let ratios = self.ratios_of(runner.name());
            ratios[0].extend(slower_by_time);
            ratios[1].extend(slower_by_count);
        }
        Ok(())
    }

    /// Those that can run the program: each is tried out once.
    fn runners(
        &mut self,
        program: &Program,
        stage: &Stage,
        engines: &[&'static str],
        setup: Setup,
        wasm: &Path,
        scratch: &Path,
    ) -> Vec<Runner> {
        let mut runners = Vec::new();
        let native = programs::native(program.module).map(Runner::Native);
        let compiled = engines.iter().map(|&name| {
            let runner = compiled(program, name, setup, wasm, scratch)?;
            process::succeed(&mut stage.task(&runner, Step::Run, setup)?.command(&[])?)?;
            Ok(runner)
        });
        for (name, runner) in engines.iter().copied().zip(compiled).chain([(NATIVE, native)]) {
            match runner {
                Ok(runner) => runners.push(runner),
                Err(error) => self.skipped.push(format!("{}, {name}: {error:#}", program.name)),
            }
        }
        runners
    }

    /// The instructions of each runner, of code for the least CPU: valgrind does not know the newest.
    fn counts(
        &mut self,
        program: &Program,
        stage: &Stage,
        runners: &[Runner],
        wasm: &Path,
        scratch: &Path,
    ) -> Vec<Option<f64>> {
        let setup = Setup { cpu: Cpu::Baseline, ..Setup::default() };
        let mut counts = Vec::new();
        for runner in runners {
            if !self.instructions {
                counts.push(None);
                continue;
            }
            eprintln!("{}: counting instructions of {}", program.name, runner.name());
            match stage.count(program, runner, setup, wasm, scratch) {
                Ok(count) => counts.push(Some(count as f64)),
                Err(error) => {
                    self.skipped.push(format!(
                        "{}, {}, instructions: {error:#}",
                        program.name,
                        runner.name()
                    ));
                    counts.push(None);
                }
            }
        }
        counts
    }

    fn ratios_of(&mut self, runner: &str) -> &mut [Vec<f64>; 2] {
        let at = self.ratios.iter().position(|(name, _)| name == runner).unwrap_or_else(|| {
            self.ratios.push((runner.to_owned(), Default::default()));
            self.ratios.len() - 1
        });
        &mut self.ratios[at].1
    }

    /// The table, with the geometric means at its end.
    pub fn finish(mut self) -> Table {
        for (runner, [user, instructions]) in &self.ratios {
            let mean = |values: &[f64]| geometric_mean(values).map_or(String::new(), ratio);
            let mut row = vec!["geometric mean".to_owned(), runner.clone()];
            row.resize(5, String::new());
            row.extend([mean(user), String::new(), String::new(), mean(instructions)]);
            self.table.row(row);
        }
        self.table
    }
}

fn verdict(by_time: Option<f64>, by_count: Option<f64>) -> &'static str {
    match (by_time, by_count) {
        (Some(time), Some(count)) if time > SLOWER && count > SLOWER => "slower",
        _ => "",
    }
}

/// An engine with the program's artifact, compiled outside the measurement.
fn compiled(
    program: &Program,
    name: &'static str,
    setup: Setup,
    wasm: &Path,
    scratch: &Path,
) -> Result<Runner> {
    let cpu = if setup.cpu == Cpu::Baseline { "baseline" } else { "host" };
    let artifact = scratch.join(format!("{}-{name}.{cpu}", program.module).replace(' ', "-"));
    if !artifact.exists() {
        process::succeed(&mut Task::compile(name, setup, wasm, &artifact).command(&[])?)?;
    }
    Ok(Runner::Engine { name, artifact })
}

/// Where a program runs.
struct Stage {
    arguments: &'static [&'static str],
    module: &'static str,
    folder: Option<PathBuf>,
    scratch: Option<tempfile::TempDir>,
}

impl Stage {
    fn new(program: &Program) -> Result<Stage> {
        let scratch = match program.folder {
            Folder::Scratch => Some(programs::scratch()?),
            Folder::None | Folder::Suite => None,
        };
        let folder = match &scratch {
            Some(scratch) => Some(scratch.path().join("run")),
            None if program.folder == Folder::Suite => {
                programs::module(program.module)?.parent().map(Path::to_owned)
            }
            None => None,
        };
        let stage = Stage { arguments: program.arguments, module: program.module, folder, scratch };
        stage.reset()?;
        Ok(stage)
    }

    /// Empties a scratch folder, so that each run finds the same.
    fn reset(&self) -> Result<()> {
        let (Some(_), Some(folder)) = (&self.scratch, &self.folder) else { return Ok(()) };
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir(folder).context("cannot make the folder of a run")
    }

    fn task(&self, runner: &Runner, step: Step, setup: Setup) -> Result<Task> {
        self.reset()?;
        let Runner::Engine { name, artifact } = runner else {
            unreachable!("native programs need no child")
        };
        let arguments = [self.module].iter().chain(self.arguments).map(|&a| a.to_owned()).collect();
        Ok(Task::run(step, name, setup, artifact, self.folder.as_deref(), arguments))
    }

    fn native(&self, program: &Path) -> Result<Command> {
        self.reset()?;
        let mut command = Command::new(program);
        command.args(self.arguments);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        Ok(command)
    }

    fn run(&self, runner: &Runner, setup: Setup) -> Result<Sample> {
        if let Runner::Native(program) = runner {
            let cost = process::measure(&mut self.native(program)?, Watch::Nothing)?;
            ensure!(cost.status.success(), "{} ended with {}", program.display(), cost.status);
            let [wall, user, system] =
                [cost.wall, cost.user, cost.system].map(|time| time.as_secs_f64());
            return Ok(Sample { wall, user, system });
        }
        let task = self.task(runner, Step::Run, setup)?;
        let cost = process::measure(&mut task.command(&[])?, Watch::Nothing)?;
        ensure!(
            cost.status.success(),
            "{} with {} ended with {}",
            self.module,
            runner.name(),
            cost.status
        );
        let report = task.read_report()?;
        let [wall, user, system] =
            [report.wall, report.user, report.system].map(|time| time.as_secs_f64());
        Ok(Sample { wall, user, system })
    }

    fn count(
        &self,
        program: &Program,
        runner: &Runner,
        setup: Setup,
        wasm: &Path,
        scratch: &Path,
    ) -> Result<u64> {
        match runner {
            Runner::Native(path) => instructions::native(&mut self.native(path)?),
            Runner::Engine { name, .. } => {
                let runner = compiled(program, name, setup, wasm, scratch)?;
                instructions::guest(|step| self.task(&runner, step, setup))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_needs_both_measures() {
        assert_eq!(verdict(Some(1.1), Some(1.1)), "slower");
        assert_eq!(verdict(Some(1.1), Some(1.0)), "");
        assert_eq!(verdict(Some(1.0), Some(1.1)), "");
        assert_eq!(verdict(Some(1.1), None), "");
    }
}
