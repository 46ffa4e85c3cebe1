//! `precast targets`: lists what code can be generated for.

use clap::Args;
use precast::Result;
use precast::compiler::{processors, targets};
use serde_json::json;

use crate::output::{print_json, print_line};

/// List the targets and processors that code can be generated for.
///
/// A target goes to --target, a processor to --cpu.
#[derive(Args, Debug)]
pub(crate) struct Targets {
    /// List the processors of this target [default: this machine]
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Targets {
    pub(crate) fn execute(self) -> Result<()> {
        let processors = processors(self.target.as_deref())?;
        if self.json {
            return print_json(&json!({
                "targets": targets()
                    .iter()
                    .map(|target| json!({ "triple": target.triple, "host": target.host }))
                    .collect::<Vec<_>>(),
                "processors": processors
                    .iter()
                    .map(|processor| json!({
                        "name": processor.name,
                        "description": processor.description,
                    }))
                    .collect::<Vec<_>>(),
            }));
        }
        print_line!("targets:");
        for target in targets() {
            print_line!("  {}{}", target.triple, if target.host { "  (this machine)" } else { "" });
        }
        let of = self.target.as_deref().unwrap_or("this machine");
        print_line!("\nprocessors of {of}, besides `native` and `baseline`:");
        for processor in processors {
            print_line!("  {:<22} {}", processor.name, processor.description);
        }
        Ok(())
    }
}
