//! How long the stages of compiling take: `--time`.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use precast::CodeBuilder;
use precast::compiler::{Stage, Stages};
use serde_json::json;

use crate::output::table;

/// The option that asks for it.
#[derive(Args, Clone, Debug)]
pub(crate) struct TimeArgs {
    /// Print on standard error how long each stage of compiling takes, of all threads together
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text"
    )]
    time: Option<TimeFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TimeFormat {
    /// A table
    Text,
    /// One line with a JSON object, times in seconds
    Json,
}

/// What is measured of one compilation, if that was asked for. A run that compiles nothing makes nothing of it.
pub(crate) struct Timing(Option<Measurement>);

struct Measurement {
    format: TimeFormat,
    begin: Instant,
    stages: Stages,
}

impl TimeArgs {
    /// Begins to measure, if that is asked for.
    pub(crate) fn start(&self) -> Timing {
        let begin =
            |format| Measurement { format, begin: Instant::now(), stages: Stages::default() };
        Timing(self.time.map(begin))
    }
}

impl Timing {
    /// Has a compilation measured, if that is asked for.
    pub(crate) fn measure<'a>(&'a self, builder: CodeBuilder<'a>) -> CodeBuilder<'a> {
        match &self.0 {
            Some(measurement) => builder.stages(&measurement.stages),
            None => builder,
        }
    }

    /// Prints what was measured. Nothing is when nothing was compiled.
    pub(crate) fn print(&self, module: &Path) {
        let Some(Measurement { format, begin, stages }) = &self.0 else { return };
        let wall = begin.elapsed();
        let stages = Stage::ALL.iter().map(|&stage| (stage.name(), stages.time(stage)));
        let stages: Vec<(&str, Duration)> = stages.filter(|(_, time)| !time.is_zero()).collect();
        if stages.is_empty() {
            return;
        }
        let text = match format {
            TimeFormat::Text => {
                let row = |name: &str, time: Duration| {
                    [name.to_owned(), format!("{:>9.3} s", time.as_secs_f64())]
                };
                let mut rows: Vec<_> = stages.iter().map(|&(name, time)| row(name, time)).collect();
                rows.push(row("from begin to end", wall));
                table(&rows)
            }
            TimeFormat::Json => {
                let stages: serde_json::Map<_, _> = stages
                    .iter()
                    .map(|&(name, time)| (name.to_owned(), json!(time.as_secs_f64())))
                    .collect();
                let module = module.display().to_string();
                let wall = wall.as_secs_f64();
                format!("{}\n", json!({ "module": module, "stages": stages, "wall": wall }))
            }
        };
        // Nothing is left to report to when stderr itself fails.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
