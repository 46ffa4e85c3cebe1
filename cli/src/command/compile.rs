//! `precast compile`: makes an artifact.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use precast::{Engine, Error, Result};

use crate::context::Context;
use crate::settings_args::SettingsArgs;
use crate::{input, progress};

/// Compile a WebAssembly module to a native artifact.
///
/// The artifact holds machine code for one architecture, system and set of processor features;
/// `precast inspect` shows which. The same module and options give the same bytes.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast compile app.wasm                          app.precast, for this machine
  precast compile --cpu x86-64-v3 app.wasm          for any machine of that level
  precast compile --target aarch64-unknown-linux-gnu app.wasm -o app.arm.precast")]
pub(crate) struct Compile {
    /// A WebAssembly module, binary or text
    module: PathBuf,

    /// Where to write the artifact [default: the module's path with the extension .precast]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    settings: SettingsArgs,
}

impl Compile {
    pub(crate) fn execute(self) -> Result<()> {
        let output = self.output.unwrap_or_else(|| self.module.with_extension("precast"));
        if output == self.module {
            return Err(Error::msg(format!(
                "the artifact would replace the module `{}`: name another file with -o",
                output.display()
            )));
        }
        let bytes = input::read_module(&self.module)?;
        let engine = Engine::new(&self.settings.config()?)?;
        let artifact =
            progress::compile(|progress| engine.precompile_module_with_progress(&bytes, progress))
                .context(|| format!("cannot compile `{}`", self.module.display()))?;
        publish(&output, &artifact).context(|| format!("cannot write `{}`", output.display()))
    }
}

/// Writes a file so that others see all of it or nothing.
fn publish(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}
