//! Programs in one file.

use std::path::{Path, PathBuf};

use clap::Args;
use precast::artifact::program::{self, Authority, Directory, Manifest, Program, Variable};
use precast::settings::CompilerSettings;
use precast::settings::file::Recipe;
use precast::{Error, Result};

use crate::context::Context;
use crate::output;

/// The stub's name, beside this program.
const STUB: &str = "precast-stub";

/// How a stub is installed, in the sources of precast, that needs nothing of the system it runs on.
const INSTALL: &str = "RUSTFLAGS='-C target-feature=+crt-static' cargo install --path stub";

/// Options that make a program in one file.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Programs in one file")]
pub(crate) struct ExeArgs {
    /// Let the program use a directory of the machine it will run on, under its own name or as GUEST
    /// (repeatable)
    #[arg(long, value_name = "HOST[::GUEST]")]
    dir: Vec<String>,

    /// Give the program an environment variable, or that of whoever starts it (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,

    /// Let the program use the environment and current directory of whoever starts it, and the
    /// directories of what its arguments name
    #[arg(long)]
    ambient: bool,

    /// The stub that becomes the program [default: precast-stub beside this program]
    #[arg(long, value_name = "FILE")]
    stub: Option<PathBuf>,
}

impl ExeArgs {
    /// What a project's manifest asks for.
    pub(crate) fn of_recipe(&self, recipe: &Recipe) -> ExeArgs {
        ExeArgs {
            dir: recipe.dir.clone(),
            env: recipe.env.clone(),
            ambient: recipe.ambient,
            stub: self.stub.clone(),
        }
    }

    /// Refuses options of programs where none is made.
    pub(crate) fn check_unused(&self) -> Result<()> {
        match self.ambient || !self.dir.is_empty() || !self.env.is_empty() {
            true => Err(Error::msg(
                "--dir, --env and --ambient are for programs in one file (--emit exe); \
                 an artifact gets them from `precast run`",
            )),
            false => Ok(()),
        }
    }

    /// Refuses settings that a program cannot have.
    pub(crate) fn check(settings: &CompilerSettings) -> Result<()> {
        match settings.consume_fuel || settings.epoch_interruption {
            true => Err(Error::msg(
                "a program in one file has no limits: leave out --consume-fuel and \
                 --epoch-interruption",
            )),
            false => Ok(()),
        }
    }

    /// The program of an artifact.
    pub(crate) fn link(&self, module: &Path, artifact: &[u8]) -> Result<Vec<u8>> {
        let name = module.file_stem().unwrap_or(module.as_os_str()).to_string_lossy().into_owned();
        let (dir, env) = (self.dir.iter(), self.env.iter());
        let manifest = Manifest {
            name,
            authority: if self.ambient { Authority::Ambient } else { Authority::Listed },
            directories: dir.map(|text| directory(text)).collect(),
            environment: env.map(|text| variable(text)).collect(),
        };
        let (stub, path) = self.stub()?;
        let linked = program::link(&stub, &Program { manifest, artifact })
            .context(|| format!("cannot make a program with the stub `{}`", path.display()))?;
        if let Some(interpreter) = linked.interpreter {
            output::print_warning(&format!(
                "the program needs `{interpreter}` and its C library where it runs; \
                 one that needs nothing is made with a stub from: {INSTALL}, in precast's sources"
            ));
        }
        Ok(linked.executable)
    }

    fn stub(&self) -> Result<(Vec<u8>, PathBuf)> {
        let path = match &self.stub {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name(STUB),
        };
        let stub = std::fs::read(&path).context(|| {
            format!(
                "cannot read the stub `{}`: install it with `{INSTALL}` in precast's sources, or name one with --stub",
                path.display()
            )
        })?;
        Ok((stub, path))
    }
}

fn directory(text: &str) -> Directory {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    Directory { host: host.to_owned(), guest: guest.to_owned() }
}

fn variable(text: &str) -> Variable {
    match text.split_once('=') {
        Some((name, value)) => Variable { name: name.to_owned(), value: Some(value.to_owned()) },
        None => Variable { name: text.to_owned(), value: None },
    }
}
