//! Compiling a module again of which one function has changed, through the cache.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use wasmparser::{Operator, Parser, Payload};

use super::child::Task;
use crate::engine::Setup;
use crate::process::{self, Watch};
use crate::rounds::{Rounds, interleaved};
use crate::statistics::{median, paired_ratio};
use crate::table::{Table, bytes, ratio, time};

/// The engine with the cache.
const OURS: &str = "precast";

/// What is measured of a module: in the order in which it happens.
const WAYS: [(&str, Kept); 3] = [
    ("as a whole", Kept::Nothing),
    ("as a whole, functions kept", Kept::New),
    ("one function changed", Kept::Functions),
];

/// What a compilation finds in the cache, and leaves there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// Nothing, and no functions are kept.
    Nothing,
    /// Nothing, and functions are kept.
    New,
    /// The functions of the module before it changed.
    Functions,
}

/// Collects the measurements of one module after the other.
pub struct Changes(Table);

impl Changes {
    /// No measurements.
    pub fn new() -> Changes {
        let columns = ["module", "compiled", "wall", "user", "peak anonymous", "wall, paired"];
        Changes(Table::new(2, columns))
    }

    /// Compiles a module and its changed copies in rounds.
    ///
    /// # Errors
    ///
    /// When a child fails, or the module has no function that can be changed.
    pub fn measure(
        &mut self,
        rounds: Rounds,
        name: &str,
        wasm: &Path,
        setup: Setup,
        scratch: &Path,
    ) -> Result<()> {
        let module = fs::read(wasm).context("cannot read the module")?;
        let constant = constant(&module)?;
        let cache = scratch.join("cache");
        let changed = scratch.join("changed.wasm");
        let mut round = 0;
        let samples = interleaved(rounds, &mut WAYS.map(|(_, kept)| kept), |kept| {
            let mut task = Task::compile(OURS, setup, wasm, &scratch.join("out"));
            task.through(&cache, *kept != Kept::Nothing);
            match kept {
                Kept::Nothing | Kept::New => remove(&cache)?,
                Kept::Functions => {
                    round += 1;
                    let mut module = module.clone();
                    // Another value each time, in the bits below the sign of the number.
                    module[constant] ^= 1 + (round % 31) as u8;
                    fs::write(&changed, module)?;
                    task.set_module(&changed);
                }
            }
            let cost = process::measure(&mut task.command(&[])?, Watch::Anonymous)?;
            ensure!(cost.status.success(), "compiling {name} ended with {}", cost.status);
            let report = task.read_report()?;
            let times = [report.wall, report.user].map(|time| time.as_secs_f64());
            Ok([times[0], times[1], cost.peak_anonymous.unwrap_or(0) as f64])
        })?;
        remove(&cache)?;
        let column = |way: usize, number: usize| -> Vec<f64> {
            samples[way].iter().map(|sample| sample[number]).collect()
        };
        for (way, (what, _)) in WAYS.iter().enumerate() {
            self.0.row(vec![
                name.to_owned(),
                (*what).to_owned(),
                time(median(&column(way, 0))),
                time(median(&column(way, 1))),
                bytes(median(&column(way, 2))),
                ratio(paired_ratio(&column(way, 0), &column(0, 0))),
            ]);
        }
        Ok(())
    }

    /// The table.
    pub fn finish(self) -> Table {
        self.0
    }
}

impl Default for Changes {
    fn default() -> Changes {
        Changes::new()
    }
}

fn remove(folder: &PathBuf) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// Where a number of one byte stands in the middle of a module's code: the operand of an `i32.const`.
fn constant(module: &[u8]) -> Result<usize> {
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CodeSectionEntry(body) = payload? {
            bodies.push(body);
        }
    }
    for body in &bodies[bodies.len() / 2..] {
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let at = reader.original_position();
            if let Operator::I32Const { .. } = reader.read()?
                && reader.original_position() == at + 2
            {
                return Ok(at + 1);
            }
        }
    }
    anyhow::bail!("no function in the second half of the module has a short constant")
}
