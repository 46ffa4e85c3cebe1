//! Settings that change the generated code.

use std::fmt;
use std::str::FromStr;

use crate::WasmFeatures;

/// Everything besides the module itself that decides which code is generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerSettings {
    /// The target triple; the host's when there is none.
    pub target: Option<String>,
    /// The processor to generate code for.
    pub cpu: CpuChoice,
    /// How hard to optimise.
    pub opt_level: OptLevel,
    /// Flags of the code generator, as name and value; the last one of a name counts.
    pub flags: Vec<(String, String)>,
    /// Accepted proposals.
    pub features: WasmFeatures,
    /// Address space that is reserved for a 32-bit memory, in bytes. Accesses below it need
    /// no bounds check.
    pub memory_reservation: u64,
    /// Inaccessible address space behind a memory, in bytes.
    pub memory_guard: u64,
    /// The largest memory image, in bytes of page runs; data beyond it is copied at
    /// instantiation.
    pub memory_image_limit: u64,
    /// Whether the code generator checks its own intermediate code. Slow; changes nothing in
    /// the output.
    pub verify_ir: bool,
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

impl Default for CompilerSettings {
    fn default() -> Self {
        CompilerSettings {
            target: None,
            cpu: CpuChoice::default(),
            opt_level: OptLevel::default(),
            flags: Vec::new(),
            features: WasmFeatures::default(),
            memory_reservation: 4 << 30,
            memory_guard: 32 << 20,
            memory_image_limit: 256 << 20,
            verify_ir: false,
        }
    }
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

impl OptLevel {
    /// The name that the code generator and the command line use.
    pub fn name(self) -> &'static str {
        match self {
            OptLevel::None => "none",
            OptLevel::Speed => "speed",
            OptLevel::SpeedAndSize => "speed_and_size",
        }
    }
}
