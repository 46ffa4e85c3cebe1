//! Cold start: whole processes from before their creation until after their end.
//!
//! Everything that a user waits for is inside: loading the command, finding or making the code, start-up of the
//! guest, its end. [`contender`] is what can be run, [`precast`](mod@self::precast), [`peers`] and [`native`] know the commands.

pub mod contender;
pub mod native;
pub mod peers;
pub mod precast;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::process::{self, Cost, Watch};
use crate::rounds::{Rounds, interleaved};
use crate::statistics::{least, median, paired_ratio};
use crate::table::{self, Table, bytes, count, ratio, time};
use crate::{machine, programs};
use contender::{Candidate, Contender};

/// A program with the arguments with which it starts and does next to nothing.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name in the table and for `--case`.
    pub name: &'static str,
    /// The module's name, without extension.
    pub module: &'static str,
    /// Its arguments.
    pub arguments: &'static [&'static str],
}

/// All cases.
pub const CASES: &[Case] = &[
    Case { name: "hello", module: "hello", arguments: &[] },
    Case { name: "resvg", module: "resvg", arguments: &["--version"] },
    Case { name: "esbuild", module: "esbuild", arguments: &["--version"] },
    Case { name: "cpython", module: "python", arguments: &["--version"] },
    Case { name: "cpython-pass", module: "python", arguments: &["-c", "pass"] },
    Case { name: "yosys", module: "yosys", arguments: &["--version"] },
];

/// What to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    rounds: Rounds,
    /// Only this case (repeatable)
    #[arg(long = "case", value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(CASES.iter().map(|c| c.name)))]
    cases: Vec<String>,
    /// Only contenders whose name contains this (repeatable)
    #[arg(long = "only", value_name = "TEXT")]
    only: Vec<String>,
    /// The contender that all others are compared with
    #[arg(long, value_name = "NAME", default_value = peers::WASMTIME_CACHED)]
    base: String,
    /// Rounds for contenders that compile a module over 4 MB each time, which takes seconds
    #[arg(long, value_name = "N", default_value_t = 3)]
    slow_rounds: usize,
    /// The `precast` command [default: the release build in target/, then PATH]
    #[arg(long, value_name = "FILE")]
    precast: Option<PathBuf>,
    /// The `wasmtime` command [default: PATH]
    #[arg(long, value_name = "FILE")]
    wasmtime: Option<PathBuf>,
}

/// Runs the cases and returns the report, in Markdown.
///
/// # Errors
///
/// When a process that ran before fails in a round, or a scratch folder cannot be made. What cannot be run at all
/// is in the report, by name and with the reason.
pub fn run(options: &Options) -> Result<String> {
    let mut report = format!("{}\n\n", machine::describe());
    for version in peers::versions(options.wasmtime.as_deref()) {
        writeln!(report, "- {version}")?;
    }
    let chosen = |case: &&Case| {
        options.cases.is_empty() || options.cases.iter().any(|name| name == case.name)
    };
    for case in CASES.iter().filter(chosen) {
        let line =
            [case.module].iter().chain(case.arguments).copied().collect::<Vec<_>>().join(" ");
        writeln!(report, "\n### `{line}`\n")?;
        match programs::module(case.module) {
            Ok(module) => report += &run_case(options, case, &module)?,
            Err(error) => writeln!(report, "skipped: {error}\n")?,
        }
    }
    writeln!(
        report,
        "Resident memory under {} (the runner's own) cannot be seen. `read` is what came through system calls; \
         mapped files are not in it.",
        bytes(process::floor() as f64)
    )?;
    Ok(report)
}

fn run_case(options: &Options, case: &Case, module: &Path) -> Result<String> {
    let scratch = tempfile::Builder::new().prefix("precast-bench-").tempdir()?;
    let mut candidates = native::candidates(case);
    candidates.extend(precast::candidates(
        options.precast.as_deref(),
        case,
        module,
        scratch.path(),
    ));
    candidates.extend(peers::candidates(options.wasmtime.as_deref(), case, module, scratch.path()));

    let mut ready: Vec<Contender> = Vec::new();
    let mut skipped: Vec<String> = Vec::new();
    for candidate in candidates {
        if !options.only.is_empty()
            && !options.only.iter().any(|text| candidate.name.contains(text))
        {
            continue;
        }
        eprintln!("{}: preparing {}", case.name, candidate.name);
        let Candidate { name, prepare } = candidate;
        match prepare() {
            Ok(contender) => ready.push(contender),
            Err(error) => {
                skipped.push(format!("{name} ({})", table::one_line(&format!("{error:#}"))))
            }
        }
    }
    let large = module.metadata()?.len() > 4_000_000;
    let (slow, fast): (Vec<Contender>, Vec<Contender>) =
        ready.into_iter().partition(|contender| contender.compiles && large);
    eprintln!("{}: measuring", case.name);
    let mut results = measure(options.rounds, fast)?;
    let slow_rounds = Rounds { rounds: options.slow_rounds, warm_up: 0 };
    results.extend(measure(slow_rounds, slow)?);

    let mut report = format!("{}\n", times(&results, &options.base));
    if let Some(sizes) = sizes(module, &results) {
        report += &format!("{sizes}\n");
    }
    if !skipped.is_empty() {
        writeln!(report, "skipped: {}\n", skipped.join("; "))?;
    }
    Ok(report)
}

/// A contender and what its runs cost.
struct Outcome {
    contender: Contender,
    costs: Vec<Cost>,
}

impl Outcome {
    fn values(&self, value: impl Fn(&Cost) -> f64) -> Vec<f64> {
        self.costs.iter().map(value).collect()
    }

    fn wall(&self) -> Vec<f64> {
        self.values(|cost| cost.wall.as_secs_f64())
    }
}

fn measure(rounds: Rounds, mut contenders: Vec<Contender>) -> Result<Vec<Outcome>> {
    let costs = interleaved(rounds, &mut contenders, |contender| {
        contender.reset()?;
        let cost = process::measure(&mut contender.command(), Watch::Nothing)?;
        ensure!(cost.status.success(), "{} ended with {}", contender.name, cost.status);
        Ok(cost)
    })?;
    Ok(contenders
        .into_iter()
        .zip(costs)
        .map(|(contender, costs)| Outcome { contender, costs })
        .collect())
}

fn times(outcomes: &[Outcome], base: &str) -> Table {
    let mut table = Table::new(
        1,
        [
            "command",
            "wall",
            "least",
            "user",
            "system",
            "minor faults",
            "major faults",
            "peak resident",
            "read",
            "of base",
            "paired",
        ],
    );
    let base = outcomes.iter().find(|outcome| outcome.contender.name == base);
    for outcome in outcomes {
        let middle = |value: fn(&Cost) -> f64| median(&outcome.values(value));
        let wall = outcome.wall();
        let mut row = vec![
            outcome.contender.name.clone(),
            time(median(&wall)),
            time(least(&wall)),
            time(middle(|cost| cost.user.as_secs_f64())),
            time(middle(|cost| cost.system.as_secs_f64())),
            count(middle(|cost| cost.minor_faults as f64)),
            count(middle(|cost| cost.major_faults as f64)),
            bytes(middle(|cost| cost.peak_resident as f64)),
            bytes(middle(|cost| cost.read as f64)),
        ];
        if let Some(base) = base {
            row.push(ratio(median(&wall) / median(&base.wall())));
            // Pairs exist only among those that ran in the same rounds.
            let paired = wall.len() == base.costs.len();
            row.push(if paired {
                ratio(paired_ratio(&wall, &base.wall()))
            } else {
                "-".to_owned()
            });
        }
        table.row(row);
    }
    table
}

/// The sizes of what was compiled beforehand, beside the module's.
fn sizes(module: &Path, outcomes: &[Outcome]) -> Option<Table> {
    let mut table = Table::new(1, ["file", "size", "of the module"]);
    let size = |path: &Path| path.metadata().map(|data| data.len() as f64).ok();
    let wasm = size(module)?;
    table.row(vec!["module".to_owned(), bytes(wasm), ratio(1.0)]);
    let mut any = false;
    for outcome in outcomes {
        if let Some(size) = outcome.contender.artifact.as_deref().and_then(size) {
            table.row(vec![outcome.contender.name.clone(), bytes(size), ratio(size / wasm)]);
            any = true;
        }
    }
    any.then_some(table)
}
