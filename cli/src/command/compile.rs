//! `precast compile`: makes artifacts.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use precast::compiler::Language;
use precast::settings::Settings;
use precast::settings::file::{Emit, PROJECT_FILE, Recipe, load_project, user_settings};
use precast::{CodeBuilder, Error, Result};

use crate::cache_args::CacheArgs;
use crate::context::About;
use crate::exe::ExeArgs;
use crate::keys::secret_key;
use crate::listing::ListingArgs;
use crate::output;
use crate::progress;
use crate::publish::{Existing, Mode, publish_bytes};
use crate::session::Session;
use crate::settings_args::CodeArgs;
use crate::time_args::TimeArgs;
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
  precast compile --sign-key release.key app.wasm   compile and sign
  precast compile --emit exe --dir . app.wasm -o app
                                                    a program in one file: ./app
  precast compile --emit asm --func main app.wasm   print the machine code of a function
  precast compile                                   what ./precast.toml lists")]
pub(crate) struct Compile {
    /// WebAssembly modules, binary or text [default: those that ./precast.toml lists]
    modules: Vec<PathBuf>,

    /// Where to write the result [default: the module's path with the extension .precast, or without one
    /// for a program; standard output for text]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Sign the artifact with this secret key: see `precast help sign`
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,

    /// What to make
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Product::Artifact)]
    emit: Product,

    #[command(flatten)]
    exe: ExeArgs,

    #[command(flatten)]
    listing: ListingArgs,

    #[command(flatten)]
    variants: VariantArgs,

    #[command(flatten)]
    code: CodeArgs,

    #[command(flatten)]
    cache: CacheArgs,

    #[command(flatten)]
    time: TimeArgs,
}

/// What is made of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Product {
    /// An artifact, which `precast run` and the runtime load
    Artifact,
    /// A program that needs neither precast nor other files
    Exe,
    /// The machine code of the functions that --func names, as text
    Asm,
    /// The same in Cranelift's intermediate representation, optimised
    Clif,
}

impl From<Emit> for Product {
    fn from(emit: Emit) -> Product {
        match emit {
            Emit::Artifact => Product::Artifact,
            Emit::Exe => Product::Exe,
        }
    }
}

/// A module and what becomes of it.
struct Job {
    module: PathBuf,
    output: Option<PathBuf>,
    product: Product,
    listing: ListingArgs,
    exe: ExeArgs,
    variants: VariantArgs,
    sign_key: Option<PathBuf>,
    time: TimeArgs,
}

impl Compile {
    pub(crate) fn execute(self) -> Result<()> {
        let mut settings = user_settings()?;
        let jobs = if self.modules.is_empty() {
            let manifest = Path::new(PROJECT_FILE);
            if !manifest.exists() {
                return Err(Error::msg(format!(
                    "name a WebAssembly module, or list some in `{PROJECT_FILE}`"
                )));
            }
            let project = load_project(manifest, settings)?;
            settings = project.settings;
            project.recipes.iter().map(|recipe| self.job_of_recipe(recipe)).collect()
        } else if self.output.is_some() && self.modules.len() != 1 {
            return Err(Error::msg("--output names one file, and there are several modules"));
        } else {
            self.modules.iter().map(|module| self.job(module)).collect::<Vec<_>>()
        };
        self.code.apply(&mut settings)?;
        self.cache.apply(&mut settings.cache);
        jobs.iter().try_for_each(|job| job.execute(&settings))
    }

    fn job(&self, module: &Path) -> Job {
        Job {
            module: module.to_owned(),
            output: self.output.clone(),
            product: self.emit,
            listing: self.listing.clone(),
            exe: self.exe.clone(),
            variants: self.variants.clone(),
            sign_key: self.sign_key.clone(),
            time: self.time.clone(),
        }
    }

    /// What the manifest does not say, the command line may.
    fn job_of_recipe(&self, recipe: &Recipe) -> Job {
        let path = |text: &Option<String>| text.as_ref().map(PathBuf::from);
        Job {
            module: path(&recipe.module).unwrap_or_default(),
            output: path(&recipe.output),
            product: recipe.emit.into(),
            listing: self.listing.clone(),
            exe: self.exe.of_recipe(recipe),
            variants: self.variants.of_recipe(recipe),
            sign_key: path(&recipe.sign_key).or_else(|| self.sign_key.clone()),
            time: self.time.clone(),
        }
    }
}

impl Job {
    fn execute(&self, settings: &Settings) -> Result<()> {
        let product = self.product;
        if product != Product::Exe {
            self.exe.check_unused()?;
        }
        let language = match product {
            Product::Asm => Some(Language::Assembly),
            Product::Clif => Some(Language::Clif),
            Product::Artifact | Product::Exe => None,
        };
        if let Some(language) = language {
            return self.list(settings, language);
        }
        self.listing.check_unused()?;
        let output = self.output.clone().unwrap_or_else(|| {
            self.module.with_extension(if product == Product::Exe { "" } else { "precast" })
        });
        self.check_output(&output)?;
        let key = match (&self.sign_key, product) {
            (Some(_), Product::Exe) => {
                return Err(Error::msg("a program in one file is not signed: nothing loads it"));
            }
            (path, _) => path.as_deref().map(secret_key).transpose()?,
        };
        if product == Product::Exe {
            ExeArgs::check(&settings.compiler)?;
        }
        let mut compiled = Vec::new();
        for variant in self.variants.variants(&settings.compiler)? {
            let mut settings = settings.clone();
            variant.apply(&mut settings.compiler);
            let artifact = self.compile(settings)?;
            compiled.push(Compiled { variant, artifact });
        }
        let artifact = assemble(compiled, key.as_ref())
            .about(&self.module, |path| format!("cannot make one artifact of `{path}`"))?;
        match product {
            Product::Exe => {
                let program = self.exe.link(&self.module, &artifact)?;
                publish_bytes(&output, Mode::Program, Existing::Replace, &program)
            }
            _ => publish_bytes(&output, Mode::Data, Existing::Replace, &artifact),
        }
    }

    /// Writes the code of functions, for each machine.
    fn list(&self, settings: &Settings, language: Language) -> Result<()> {
        if self.sign_key.is_some() {
            return Err(Error::msg("only artifacts are signed: leave out --sign-key"));
        }
        let mut text = String::new();
        for variant in self.variants.variants(&settings.compiler)? {
            let mut settings = settings.clone();
            variant.apply(&mut settings.compiler);
            text += &self.listing.list(&self.module, settings, language)?;
        }
        match &self.output {
            Some(output) => {
                self.check_output(output)?;
                publish_bytes(output, Mode::Data, Existing::Replace, text.as_bytes())
            }
            None => output::print_text(&text),
        }
    }

    fn check_output(&self, output: &Path) -> Result<()> {
        match output == self.module {
            true => Err(Error::msg(format!(
                "the result would replace the module `{}`: name another file with -o",
                output.display()
            ))),
            false => Ok(()),
        }
    }

    fn compile(&self, settings: Settings) -> Result<Vec<u8>> {
        let session = Session::new(settings)?;
        let timing = self.time.start();
        let builder = timing.measure(CodeBuilder::file(&session.engine, &self.module)?);
        let artifact = progress::show(builder, |builder| builder.compile_module_serialized());
        timing.print(&self.module);
        session.finish();
        artifact.about(&self.module, |path| format!("cannot compile `{path}`"))
    }
}
