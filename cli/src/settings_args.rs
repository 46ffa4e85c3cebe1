//! The options that choose how code is generated.

use clap::{Args, ValueEnum};
use precast::settings::Settings;
use precast::{CollectorChoice, CpuChoice, OptLevel, Result};

/// Options that change the generated code.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Code generation")]
pub(crate) struct SettingsArgs {
    /// Target triple, such as aarch64-unknown-linux-gnu; `precast targets` lists them
    /// [default: this machine]
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,

    /// Processor: `native`, `baseline`, or a name such as x86-64-v3 that `precast targets` lists
    /// [default: native]
    #[arg(long, value_name = "NAME")]
    cpu: Option<CpuChoice>,

    #[command(flatten)]
    code: CodeArgs,
}

/// The options of them that are not about the machine.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Code generation")]
pub(crate) struct CodeArgs {
    /// How hard to optimise [default: speed]
    #[arg(short = 'O', long, value_name = "LEVEL", value_enum)]
    optimize: Option<Optimize>,

    /// Make no function a part of its callers
    #[arg(long)]
    no_inlining: bool,

    /// Leave out names and symbols: smaller artifacts, whose backtraces show indices of functions
    #[arg(long)]
    strip: bool,

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
    consume_fuel: bool,

    /// Have the code look at epochs, so that `run --timeout` can stop it
    #[arg(long)]
    epoch_interruption: bool,

    /// How references are managed: `null`, `drc`, `copying`, or `auto` for what suits the module
    /// [default: auto]
    #[arg(long, value_name = "NAME")]
    collector: Option<CollectorChoice>,

    /// Threads that compile at the same time [default: all processors]
    #[arg(short, long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
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
    /// Changes what the options ask for.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Result<()> {
        let SettingsArgs { target, cpu, code } = self;
        if target.is_some() {
            settings.compiler.target.clone_from(target);
        }
        if let Some(cpu) = cpu {
            settings.compiler.cpu = cpu.clone();
        }
        code.apply(settings)
    }
}

impl CodeArgs {
    /// Changes what the options ask for.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Result<()> {
        let CodeArgs {
            optimize,
            no_inlining,
            strip,
            set,
            feature,
            relaxed_simd_deterministic,
            consume_fuel,
            epoch_interruption,
            collector,
            jobs,
        } = self;
        let compiler = &mut settings.compiler;
        if let Some(optimize) = optimize {
            compiler.opt_level = match optimize {
                Optimize::None => OptLevel::None,
                Optimize::Speed => OptLevel::Speed,
                Optimize::Size => OptLevel::SpeedAndSize,
            };
        }
        compiler.inlining &= !no_inlining;
        compiler.strip |= strip;
        compiler.flags.extend(set.iter().cloned());
        for (name, accept) in feature {
            compiler.features.set(name, *accept)?;
        }
        compiler.relaxed_simd_deterministic |= relaxed_simd_deterministic;
        compiler.consume_fuel |= consume_fuel;
        compiler.epoch_interruption |= epoch_interruption;
        if let Some(collector) = collector {
            compiler.collector = *collector;
        }
        if jobs.is_some() {
            settings.runtime.jobs = *jobs;
        }
        Ok(())
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
