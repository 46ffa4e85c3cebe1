//! `precast compile`: makes an artifact.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use precast::settings::file::user_settings;
use precast::{CodeBuilder, Error, Result};

use crate::cache_args::CacheArgs;
use crate::context::{About, Context};
use crate::progress;
use crate::publish::publish;
use crate::session::Session;
use crate::settings_args::SettingsArgs;

/// Compile a WebAssembly module to a native artifact.
///
/// The artifact holds machine code for one architecture, system and set of processor features;
/// `precast inspect` shows which. The same module and options give the same bytes, whether they are
/// compiled or come from the cache.
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

    #[command(flatten)]
    cache: CacheArgs,
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
        let mut settings = user_settings()?;
        self.settings.apply(&mut settings)?;
        self.cache.apply(&mut settings.cache);
        let session = Session::new(settings)?;
        let builder = CodeBuilder::file(&session.engine, &self.module)?;
        let artifact = progress::show(builder, |builder| builder.compile_module_serialized());
        session.finish();
        let artifact = artifact.about(&self.module, |path| format!("cannot compile `{path}`"))?;
        publish(&output, |file| Ok(file.write_all(&artifact)?))
            .context(|| format!("cannot write `{}`", output.display()))
    }
}
