//! `precast settings`: lists the flags of the code generator.

use clap::Args;
use precast::Result;
use precast::compiler::{Setting, SettingKind, settings};
use serde_json::json;

use crate::output::{print_json, print_line};

/// List the flags of the code generator that --set reaches.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// List the flags of this target [default: this machine]
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,

    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Settings {
    pub(crate) fn execute(self) -> Result<()> {
        let settings = settings(self.target.as_deref())?;
        if self.json {
            let list = settings.iter().map(|setting| {
                json!({
                    "name": setting.name,
                    "values": values(setting),
                    "default": setting.default,
                    "description": setting.description,
                    "target_specific": setting.target_specific,
                    "fixed": setting.fixed,
                })
            });
            return print_json(&list.collect());
        }
        for (title, specific) in [("shared", false), ("of the target", true)] {
            print_line!("flags {title}:");
            for setting in settings.iter().filter(|setting| setting.target_specific == specific) {
                print_line!("  {} = {}  ({})", setting.name, setting.default, values(setting));
                print_line!("      {}", setting.description);
                if let Some(reason) = setting.fixed {
                    print_line!("      cannot be set: {reason}");
                }
            }
        }
        Ok(())
    }
}

fn values(setting: &Setting) -> String {
    match setting.kind {
        SettingKind::Bool => "true or false".to_owned(),
        SettingKind::Number => "0 to 255".to_owned(),
        SettingKind::Choice(words) => words.join(", "),
    }
}
