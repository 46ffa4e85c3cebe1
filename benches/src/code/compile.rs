//! Compile time, memory and size.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::child::Task;
use crate::engine::{self, Setup};
use crate::process::{self, Watch};
use crate::rounds::{Rounds, interleaved};
use crate::statistics::{geometric_mean, median, paired_ratio};
use crate::table::{Table, bytes, ratio, time};

/// Collects the measurements of one module after the other.
pub struct Compilations {
    table: Table,
    /// For each engine, the ratios of its modules: wall, user, memory, size.
    ratios: Vec<(String, [Vec<f64>; 4])>,
}

/// One compilation.
struct Sample {
    wall: f64,
    user: f64,
    anonymous: f64,
    size: f64,
}

impl Sample {
    fn numbers(&self) -> [f64; 4] {
        [self.wall, self.user, self.anonymous, self.size]
    }
}

impl Compilations {
    /// No measurements.
    pub fn new() -> Compilations {
        let table = Table::new(
            2,
            [
                "module",
                "engine",
                "wall",
                "user",
                "peak anonymous",
                "artifact",
                "wall, paired",
                "user, paired",
                "memory",
                "size",
            ],
        );
        Compilations { table, ratios: Vec::new() }
    }

    /// Compiles a module with each engine in rounds.
    ///
    /// # Errors
    ///
    /// When a child fails that did not fail before.
    pub fn measure(
        &mut self,
        rounds: Rounds,
        name: &str,
        wasm: &Path,
        engines: &[&'static str],
        setup: Setup,
        scratch: &Path,
    ) -> Result<()> {
        let mut tasks: Vec<(&str, PathBuf, Task)> = engines
            .iter()
            .map(|&engine| {
                let artifact = scratch.join(format!("{name}-{engine}.timed").replace(' ', "-"));
                let task = Task::compile(engine, setup, wasm, &artifact);
                (engine, artifact, task)
            })
            .collect();
        let samples = interleaved(rounds, &mut tasks, |(engine, artifact, task)| {
            let cost = process::measure(&mut task.command(&[])?, Watch::Anonymous)?;
            ensure!(
                cost.status.success(),
                "compiling {name} with {engine} ended with {}",
                cost.status
            );
            let report = task.read_report()?;
            Ok(Sample {
                wall: report.wall.as_secs_f64(),
                user: report.user.as_secs_f64(),
                anonymous: cost.peak_anonymous.unwrap_or(0) as f64,
                size: fs::metadata(artifact)?.len() as f64,
            })
        })?;
        for (_, artifact, _) in &tasks {
            fs::remove_file(artifact)?;
        }
        let numbers: Vec<[Vec<f64>; 4]> = samples.iter().map(|samples| columns(samples)).collect();
        let base = tasks.iter().position(|(engine, ..)| *engine == engine::BASE);
        for ((engine, ..), columns) in tasks.iter().zip(&numbers) {
            self.row(name, engine, columns, base.map(|at| &numbers[at]));
        }
        Ok(())
    }

    fn row(
        &mut self,
        name: &str,
        engine: &str,
        columns: &[Vec<f64>; 4],
        base: Option<&[Vec<f64>; 4]>,
    ) {
        let [wall, user, anonymous, size] = columns;
        let mut row = vec![
            name.to_owned(),
            engine.to_owned(),
            time(median(wall)),
            time(median(user)),
            bytes(median(anonymous)),
            bytes(median(size)),
        ];
        if let Some(base) = base {
            for column in 0..4 {
                let value = paired_ratio(&columns[column], &base[column]);
                row.push(ratio(value));
                self.ratios_of(engine)[column].push(value);
            }
        }
        self.table.row(row);
    }

    fn ratios_of(&mut self, engine: &str) -> &mut [Vec<f64>; 4] {
        let at = self.ratios.iter().position(|(name, _)| name == engine).unwrap_or_else(|| {
            self.ratios.push((engine.to_owned(), Default::default()));
            self.ratios.len() - 1
        });
        &mut self.ratios[at].1
    }

    /// The table, with the geometric means at its end.
    pub fn finish(mut self) -> Table {
        for (engine, columns) in &self.ratios {
            let mut row = vec!["geometric mean".to_owned(), engine.clone()];
            row.resize(6, String::new());
            row.extend(
                columns.iter().map(|values| geometric_mean(values).map_or(String::new(), ratio)),
            );
            self.table.row(row);
        }
        self.table
    }
}

impl Default for Compilations {
    fn default() -> Compilations {
        Compilations::new()
    }
}

fn columns(samples: &[Sample]) -> [Vec<f64>; 4] {
    [0, 1, 2, 3].map(|column| samples.iter().map(|sample| sample.numbers()[column]).collect())
}
