//! Settings that change the generated code.

use std::fmt;
use std::str::FromStr;

use precast_artifact::description::Collector;

use crate::section::section;
use crate::{UnknownChoice, WasmFeatures, choice};

section! {
    /// Everything besides the module itself that decides which code is generated.
    pub struct CompilerSettings as "compiler" {
        /// The target triple; the host's when there is none.
        target: Option<String> as Text = None;
        /// The processor to generate code for: `native` is this machine's with all features it
        /// has, `baseline` what every processor of the architecture has, all else is the name
        /// of a processor or level, such as `x86-64-v3`.
        cpu: CpuChoice as Choice = CpuChoice::Native;
        /// How hard to optimise: `none`, `speed` or `speed_and_size`.
        opt_level: OptLevel as Choice = OptLevel::Speed;
        /// Whether small functions, and those with one call, become a part of those that call them. Backtraces
        /// are the same.
        inlining: bool as Switch = true;
        /// Flags of the code generator, as name and value; the last one of a name counts.
        flags: Vec<(String, String)> as Flags = Vec::new();
        /// Accepted proposals.
        features: WasmFeatures as Proposals = WasmFeatures::default();
        /// Whether the vector operators of `relaxed-simd` have the same results on every processor,
        /// at the price of slower code.
        relaxed_simd_deterministic: bool as Switch = false;
        /// Whether code counts the operators that it executes, and stops when a store's fuel is
        /// used up.
        consume_fuel: bool as Switch = false;
        /// Whether code stops, or asks the host, when the engine's epoch reaches a store's
        /// deadline.
        epoch_interruption: bool as Switch = false;
        /// How references are managed, and what they refer to is freed: `null`, `drc`, `copying`, or
        /// `auto`, which takes `copying` for modules that can make structures or arrays and `drc`
        /// for others.
        collector: CollectorChoice as Choice = CollectorChoice::Auto;
        /// Address space that is reserved for a 32-bit memory, in bytes. Accesses below it need
        /// no bounds check.
        memory_reservation: u64 as Size = 4 << 30;
        /// Inaccessible address space behind a memory, in bytes.
        memory_guard: u64 as Size = 32 << 20;
        /// The largest memory image, in bytes of page runs; data beyond it is copied at
        /// instantiation.
        memory_image_limit: u64 as Size = 256 << 20;
        /// Whether the artifact leaves out the names of functions and of the module, and the symbols of
        /// code. Backtraces show indices instead, and profilers addresses.
        strip: bool as Switch = false;
        /// Whether the code generator checks its own intermediate code. Slow; changes nothing in
        /// the output.
        verify_ir: bool as Switch = false;
    }
}

/// The processor to generate code for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CpuChoice {
    /// This machine's processor, with all features it has; the baseline when the target
    /// is another architecture.
    #[default]
    Native,
    /// What every processor of the target's architecture has.
    Baseline,
    /// A processor or level by name, such as `x86-64-v3`.
    Named(String),
}

/// How hard the code generator optimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OptLevel {
    /// Compile as fast as possible.
    None,
    /// Generate the fastest code.
    #[default]
    Speed,
    /// Generate fast code that is small.
    SpeedAndSize,
}

/// How references are managed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CollectorChoice {
    /// What suits the module.
    #[default]
    Auto,
    /// This one.
    Fixed(Collector),
}

impl FromStr for CpuChoice {
    type Err = std::convert::Infallible;

    /// `native`, `baseline`, or the name of a processor.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(match name {
            "native" => CpuChoice::Native,
            "baseline" => CpuChoice::Baseline,
            _ => CpuChoice::Named(name.to_owned()),
        })
    }
}

impl fmt::Display for CpuChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CpuChoice::Native => "native",
            CpuChoice::Baseline => "baseline",
            CpuChoice::Named(name) => name,
        })
    }
}

impl CollectorChoice {
    const ALL: &[CollectorChoice] = &[
        CollectorChoice::Auto,
        CollectorChoice::Fixed(Collector::Null),
        CollectorChoice::Fixed(Collector::Drc),
        CollectorChoice::Fixed(Collector::Copying),
    ];

    /// The name that settings use.
    pub fn name(self) -> &'static str {
        match self {
            CollectorChoice::Auto => "auto",
            CollectorChoice::Fixed(collector) => collector.name(),
        }
    }
}

impl From<Collector> for CollectorChoice {
    fn from(collector: Collector) -> CollectorChoice {
        CollectorChoice::Fixed(collector)
    }
}

impl FromStr for CollectorChoice {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        choice(name, Self::ALL, |choice| choice.name())
    }
}

impl fmt::Display for CollectorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl OptLevel {
    const ALL: &[OptLevel] = &[OptLevel::None, OptLevel::Speed, OptLevel::SpeedAndSize];

    /// The name that the code generator and the command line use.
    pub fn name(self) -> &'static str {
        match self {
            OptLevel::None => "none",
            OptLevel::Speed => "speed",
            OptLevel::SpeedAndSize => "speed_and_size",
        }
    }
}

impl FromStr for OptLevel {
    type Err = UnknownChoice;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        choice(name, Self::ALL, OptLevel::name)
    }
}

impl fmt::Display for OptLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
