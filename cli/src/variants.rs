//! The machines that one artifact is compiled for.

use clap::Args;
use precast::artifact::container::{self, Container, Part};
use precast::artifact::image::Image;
use precast::compiler::processors;
use precast::settings::CompilerSettings;
use precast::settings::file::Recipe;
use precast::{CpuChoice, Result, SecretKey};

use crate::output;

/// Options that choose machines, each of them any number of times.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Code generation")]
pub(crate) struct VariantArgs {
    /// Target triple, such as aarch64-unknown-linux-gnu; `precast targets` lists them (repeatable)
    /// [default: this machine]
    #[arg(long = "target", value_name = "TRIPLE")]
    targets: Vec<String>,

    /// Processor: `native`, `baseline`, or a name such as x86-64-v3 that `precast targets` lists
    /// (repeatable) [default: native]
    #[arg(long = "cpu", value_name = "NAME")]
    cpus: Vec<CpuChoice>,
}

/// A machine to compile for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    target: Option<String>,
    cpu: CpuChoice,
}

/// What was compiled for one machine.
pub(crate) struct Compiled {
    pub(crate) variant: Variant,
    pub(crate) artifact: Vec<u8>,
}

impl VariantArgs {
    /// What a project's manifest asks for; what the command line does where that asks for nothing.
    pub(crate) fn of_recipe(&self, recipe: &Recipe) -> VariantArgs {
        let Ok(cpus) = recipe.cpu.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>();
        let targets = recipe.target.clone();
        VariantArgs {
            targets: if targets.is_empty() { self.targets.clone() } else { targets },
            cpus: if cpus.is_empty() { self.cpus.clone() } else { cpus },
        }
    }

    /// The machines that the options ask for; those of the settings where they ask for none. A
    /// processor goes with the targets that have it, and a target without one gets its baseline.
    pub(crate) fn variants(&self, settings: &CompilerSettings) -> Result<Vec<Variant>> {
        let targets = match self.targets.as_slice() {
            [] => vec![settings.target.clone()],
            targets => targets.iter().cloned().map(Some).collect(),
        };
        let cpus = match self.cpus.as_slice() {
            [] => vec![settings.cpu.clone()],
            cpus => cpus.to_vec(),
        };
        let mut variants: Vec<Variant> = Vec::new();
        let mut unused = cpus.clone();
        for target in &targets {
            let known = processors(target.as_deref())?;
            let mut fitting: Vec<_> = cpus
                .iter()
                .filter(|cpu| match cpu {
                    CpuChoice::Named(name) => known.iter().any(|processor| processor.name == name),
                    CpuChoice::Native | CpuChoice::Baseline => true,
                })
                .collect();
            unused.retain(|cpu| !fitting.contains(&cpu));
            if fitting.is_empty() {
                fitting.push(&CpuChoice::Baseline);
            }
            for cpu in fitting {
                let variant = Variant { target: target.clone(), cpu: cpu.clone() };
                if !variants.contains(&variant) {
                    variants.push(variant);
                }
            }
        }
        // The compiler knows best how to say that there is no such processor.
        let stray = unused.into_iter().map(|cpu| Variant { target: targets[0].clone(), cpu });
        variants.extend(stray);
        Ok(variants)
    }
}

impl Variant {
    /// Changes what the options ask for.
    pub(crate) fn apply(&self, settings: &mut CompilerSettings) {
        let Variant { target, cpu } = self;
        settings.target.clone_from(target);
        settings.cpu.clone_from(cpu);
    }

    /// What people call the processor. That of this machine is not another architecture's.
    fn cpu_name(&self) -> String {
        let here = match &self.target {
            Some(triple) => triple.split('-').next() == Some(std::env::consts::ARCH),
            None => true,
        };
        match &self.cpu {
            CpuChoice::Native if !here => CpuChoice::Baseline.to_string(),
            cpu => cpu.to_string(),
        }
    }
}

/// Makes one file of what was compiled: the artifact itself where there is one and nobody signs.
pub(crate) fn assemble(mut compiled: Vec<Compiled>, key: Option<&SecretKey>) -> Result<Vec<u8>> {
    let mut seen = Vec::new();
    let mut doubles = Vec::new();
    for (position, Compiled { artifact, variant }) in compiled.iter().enumerate() {
        let description = Image::parse(artifact)?.description;
        let needs = (description.target, description.cpu_features);
        if seen.contains(&needs) {
            let cpu = variant.cpu_name();
            output::print_warning(&format!("code for `{cpu}` is the same as for another --cpu"));
            doubles.push(position);
        } else {
            seen.push(needs);
        }
    }
    for position in doubles.into_iter().rev() {
        compiled.remove(position);
    }
    if let ([single], None) = (compiled.as_mut_slice(), key) {
        return Ok(std::mem::take(&mut single.artifact));
    }
    let names: Vec<String> = compiled.iter().map(|part| part.variant.cpu_name()).collect();
    let parts = compiled.iter().zip(&names);
    let parts: Vec<_> = parts.map(|(part, cpu)| Part { cpu, artifact: &part.artifact }).collect();
    let mut file = container::write(&parts)?;
    if let Some(key) = key {
        Container::sign(&mut file, key)?;
    }
    Ok(file)
}
