//! `precast compile`: makes artifacts.

use std::path::{Path, PathBuf};

use clap::Args;
use precast::settings::Settings;
use precast::settings::file::user_settings;
use precast::{CodeBuilder, Error, Result, SecretKey};

use crate::cache_args::CacheArgs;
use crate::context::About;
use crate::keys::secret_key;
use crate::progress;
use crate::publish::{Existing, Mode, publish_bytes};
use crate::session::Session;
use crate::settings_args::CodeArgs;
use crate::variants::{Compiled, VariantArgs, assemble};

/// Compile WebAssembly modules to native artifacts.
///
/// An artifact holds machine code for one architecture, system and set of processor features;
/// `precast inspect` shows which. With several processors or targets, it holds code for each of them, and
/// a machine runs the best that it can. The same module and options give the same bytes, whether they
/// are compiled or come from the cache.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  precast compile app.wasm                          app.precast, for this machine
  precast compile --cpu x86-64-v3 app.wasm          for any machine of that level
  precast compile --cpu x86-64-v2 --cpu x86-64-v4 app.wasm
                                                    for both levels in one file
  precast compile --target aarch64-unknown-linux-gnu app.wasm -o app.arm.precast
  precast compile --sign-key release.key app.wasm   compile and sign")]
pub(crate) struct Compile {
    /// WebAssembly modules, binary or text
    #[arg(required = true)]
    modules: Vec<PathBuf>,

    /// Where to write the artifact [default: the module's path with the extension .precast]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Sign the artifact with this secret key: see `precast help sign`
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,

    #[command(flatten)]
    variants: VariantArgs,

    #[command(flatten)]
    code: CodeArgs,

    #[command(flatten)]
    cache: CacheArgs,
}

/// A module and what becomes of it.
struct Job<'a> {
    module: &'a Path,
    output: &'a Path,
    variants: &'a VariantArgs,
    key: Option<&'a SecretKey>,
}

impl Compile {
    pub(crate) fn execute(self) -> Result<()> {
        if self.output.is_some() && self.modules.len() != 1 {
            return Err(Error::msg("--output names one file, and there are several modules"));
        }
        let mut settings = user_settings()?;
        self.code.apply(&mut settings)?;
        self.cache.apply(&mut settings.cache);
        let key = self.sign_key.as_deref().map(secret_key).transpose()?;
        for module in &self.modules {
            let output = match &self.output {
                Some(output) => output.clone(),
                None => module.with_extension("precast"),
            };
            let (variants, key) = (&self.variants, key.as_ref());
            Job { module, output: &output, variants, key }.execute(&settings)?;
        }
        Ok(())
    }
}

impl Job<'_> {
    fn execute(&self, settings: &Settings) -> Result<()> {
        if self.output == self.module {
            return Err(Error::msg(format!(
                "the artifact would replace the module `{}`: name another file with -o",
                self.output.display()
            )));
        }
        let mut compiled = Vec::new();
        for variant in self.variants.variants(&settings.compiler)? {
            let mut settings = settings.clone();
            variant.apply(&mut settings.compiler);
            let artifact = self.compile(settings)?;
            compiled.push(Compiled { variant, artifact });
        }
        let file = assemble(compiled, self.key)
            .about(self.module, |path| format!("cannot make one artifact of `{path}`"))?;
        publish_bytes(self.output, Mode::Data, Existing::Replace, &file)
    }

    fn compile(&self, settings: Settings) -> Result<Vec<u8>> {
        let session = Session::new(settings)?;
        let builder = CodeBuilder::file(&session.engine, self.module)?;
        let artifact = progress::show(builder, |builder| builder.compile_module_serialized());
        session.finish();
        artifact.about(self.module, |path| format!("cannot compile `{path}`"))
    }
}
