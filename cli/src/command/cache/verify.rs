//! `precast cache verify`: reads everything, and says what is damaged.

use std::process::ExitCode;

use clap::Args;
use precast::Result;
use precast::cache::{Finding, Repair, Verification};
use serde_json::json;

use super::Scope;
use crate::output::{Format, print_json, print_text};

/// Read every entry and compare it with its digest.
///
/// A run checks what it loads, but not every byte of the code. The exit code is 1 when something is
/// wrong that was not repaired.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Move damaged entries to the quarantine, from where nobody runs them, and remove what processes
    /// left that were killed
    #[arg(long)]
    repair: bool,
}

impl Verify {
    pub(super) fn execute(self, scope: &Scope) -> Result<ExitCode> {
        let repair = if self.repair { Repair::Yes } else { Repair::No };
        let Verification { sound, findings } = scope.cache()?.verify(repair)?;
        let wrong = findings.iter().filter(|finding| !finding.repaired).count();
        match scope.format {
            Format::Json => print_json(&json!({
                "sound": sound,
                "findings": findings.iter().map(as_json).collect::<Vec<_>>(),
            }))?,
            Format::Text => {
                let lines: String = findings.iter().map(line).collect();
                let repaired = findings.len() - wrong;
                let hint = match self.repair || wrong == 0 {
                    true => "",
                    false => "; `precast cache verify --repair` puts right what it can",
                };
                print_text(&format!(
                    "{lines}{sound} files are sound, {repaired} repaired, {wrong} wrong{hint}\n"
                ))?;
            }
        }
        Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    let Finding { path, problem, repaired } = finding;
    json!({ "path": path, "problem": problem.to_string(), "repaired": repaired })
}

fn line(finding: &Finding) -> String {
    let Finding { path, problem, repaired } = finding;
    let repaired = if *repaired { " (repaired)" } else { "" };
    format!("{}: {problem}{repaired}\n", path.display())
}
