//! The options that choose how code is generated.

use clap::{Args, ValueEnum};
use precast::{Config, CpuChoice, OptLevel, Result};

/// Options that change the generated code.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Code generation")]
pub(crate) struct SettingsArgs {
    /// Target triple, such as aarch64-unknown-linux-gnu; `precast targets` lists them
    /// [default: this machine]
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,

    /// Processor: `native`, `baseline`, or a name such as x86-64-v3 that `precast targets` lists
    #[arg(long, value_name = "NAME", default_value = "native")]
    cpu: CpuChoice,

    /// How hard to optimise
    #[arg(short = 'O', long, value_name = "LEVEL", value_enum, default_value_t = Optimize::Speed)]
    optimize: Optimize,

    /// Set a flag of the code generator; `precast settings` lists them (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = parse_flag)]
    set: Vec<(String, String)>,

    /// Accept or refuse a WebAssembly proposal, as NAME or NAME=false (repeatable)
    #[arg(long, value_name = "NAME[=BOOL]", value_parser = parse_feature)]
    feature: Vec<(String, bool)>,

    /// Have the operators of relaxed-simd give the same results on every processor
    #[arg(long)]
    relaxed_simd_deterministic: bool,

    /// Have the code count what it executes, so that `run --fuel` can stop it
    #[arg(long)]
    pub(crate) consume_fuel: bool,

    /// Have the code look at epochs, so that `run --timeout` can stop it
    #[arg(long)]
    pub(crate) epoch_interruption: bool,

    /// Threads that compile at the same time [default: all processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
}

/// How hard to optimise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Optimize {
    /// Compile as fast as possible
    #[value(alias = "0")]
    None,
    /// Make the fastest code
    #[value(alias = "2")]
    Speed,
    /// Make fast code that is small
    #[value(alias = "s")]
    Size,
}

impl SettingsArgs {
    /// The configuration that the options ask for.
    pub(crate) fn config(&self) -> Result<Config> {
        let SettingsArgs {
            target,
            cpu,
            optimize,
            set,
            feature,
            relaxed_simd_deterministic,
            consume_fuel,
            epoch_interruption,
            jobs,
        } = self;
        let mut config = Config::new();
        let settings = config.compiler_settings_mut();
        settings.target.clone_from(target);
        settings.cpu = cpu.clone();
        settings.opt_level = match optimize {
            Optimize::None => OptLevel::None,
            Optimize::Speed => OptLevel::Speed,
            Optimize::Size => OptLevel::SpeedAndSize,
        };
        settings.flags.clone_from(set);
        settings.relaxed_simd_deterministic = *relaxed_simd_deterministic;
        settings.consume_fuel = *consume_fuel;
        settings.epoch_interruption = *epoch_interruption;
        for (name, accept) in feature {
            settings.features.set(name, *accept)?;
        }
        config.runtime_settings_mut().jobs = *jobs;
        Ok(config)
    }
}

/// A flag without a value switches something on.
fn parse_flag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, "true"));
    if name.is_empty() {
        return Err("a flag needs a name, as in `--set enable_simd=true`".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn parse_feature(text: &str) -> Result<(String, bool), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, "true"));
    match value {
        "true" | "yes" | "on" => Ok((name.to_owned(), true)),
        "false" | "no" | "off" => Ok((name.to_owned(), false)),
        _ => Err(format!("`{value}` is neither true nor false")),
    }
}
