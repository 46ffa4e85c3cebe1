//! From WebAssembly to modules through the cache: what is there is mapped, what is not is compiled
//! once and kept.

use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use precast_artifact::description::BuildDescription;
use precast_artifact::image::{FORMAT_VERSION, Image};
use precast_cache::{
    Cache, CompilerBuild, Entry, Explanation, FileLookup, Functions, Host, Key, Outcome, Recipe,
    Served, Stored, Unserved, sha256,
};
use precast_compiler::{BUILD_DIGEST, CRANELIFT_VERSION, FunctionKey, FunctionStore, VERSION};
use precast_config::{CacheMode, CompilerSettings};
use precast_loader::{LoadError, Mapped};

use crate::engine::Engine;
use crate::error::{Error, ModuleError, Result};
use crate::module::{CodeBuilder, LoadOptions, Module};

/// How often code that was found may turn out to be damaged: the cache has at most two copies in
/// each of two directories.
const ATTEMPTS: usize = 4;

/// What became of a module that was to be in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmed {
    /// It was there already.
    Found,
    /// It has been compiled and is kept.
    Compiled,
    /// It has been compiled and is not kept: the cache's warnings or settings say why.
    NotKept,
}

/// Which compiler is linked, as the keys of the cache have it.
pub fn compiler_build() -> CompilerBuild {
    let version = format!("{VERSION} cranelift {CRANELIFT_VERSION}");
    CompilerBuild { format: FORMAT_VERSION, version, digest: BUILD_DIGEST }
}

/// Everything besides the module that decides which entry of the cache is its.
pub(crate) fn recipe(settings: &CompilerSettings) -> Recipe {
    Recipe::new(&compiler_build(), &Host::detect(), settings)
}

impl Engine {
    /// The cache of its modules, if that is used.
    pub(crate) fn cache(&self) -> Option<&Arc<Cache>> {
        self.config().get_cache().filter(|cache| cache.mode() != CacheMode::Off)
    }
}

impl CodeBuilder<'_> {
    /// Sees to it that the module is in the cache, and loads nothing: the code may be for another
    /// machine.
    ///
    /// # Errors
    ///
    /// As [`CodeBuilder::compile_module`], and when the engine has no cache that may be written.
    pub fn warm(&self) -> Result<Warmed> {
        let cache = self.engine.cache().ok_or(precast_cache::CacheError::Off)?;
        if cache.mode() == CacheMode::ReadOnly {
            return Err(precast_cache::CacheError::ReadOnly.into());
        }
        fetch(self, cache, |code, _| {
            Ok(match code {
                Code::Found(_) => Warmed::Found,
                Code::Compiled { stored: Stored::Not, .. } => Warmed::NotKept,
                Code::Compiled { .. } => Warmed::Compiled,
            })
        })
    }

    /// The module, if the cache knows its file and has its code: what needs neither the contents of
    /// the file nor the compiler. A program that calls nothing else of this type links no compiler.
    ///
    /// # Errors
    ///
    /// When the code does not fit this machine, or the system refuses to map it. Damaged code counts
    /// as none.
    pub fn known_module(&self) -> Result<Option<Module>> {
        let Some(cache) = self.engine.cache() else { return Ok(None) };
        let (_, module) = known(self, cache, |code, wasm_sha256| match code {
            Code::Found(entry) => map(self, entry, wasm_sha256).map(Some),
            Code::Compiled { .. } => Ok(None),
        })?;
        Ok(module.flatten())
    }

    /// Why the module is or is not in the cache.
    ///
    /// # Errors
    ///
    /// When the module or the cache cannot be read, and when the engine has no cache.
    pub fn explain(&self) -> Result<Explanation> {
        let cache = self.engine.cache().ok_or(precast_cache::CacheError::Off)?;
        Ok(cache.explain(self.engine.cache_recipe(), &sha256(&self.source.read()?))?)
    }
}

/// The module, mapped from the cache where that is possible.
pub(super) fn module(builder: &CodeBuilder<'_>, cache: &Cache) -> Result<Module> {
    fetch(builder, cache, |code, wasm_sha256| match code {
        Code::Found(entry) => map(builder, entry, wasm_sha256),
        // The pages of the file are shared by whoever runs it after this.
        Code::Compiled { artifact, stored: Stored::Hot(entry) } => {
            map(builder, entry, wasm_sha256).or_else(|_| builder.load(artifact))
        }
        Code::Compiled { artifact, .. } => builder.load(artifact),
    })
}

/// The artifact. What comes from the cache is checked completely: it leaves the cache.
pub(super) fn serialized(builder: &CodeBuilder<'_>, cache: &Cache) -> Result<Vec<u8>> {
    fetch(builder, cache, |code, wasm_sha256| match code {
        Code::Found(entry) => {
            let mut artifact = vec![0; entry.len() as usize];
            let reading = entry.file().read_exact_at(&mut artifact, 0);
            let action = "cannot read the cache";
            reading.map_err(|source| LoadError::System { action, source })?;
            let image = Image::parse(&artifact).map_err(LoadError::from)?;
            same_module(&image.description, wasm_sha256)?;
            Image::verify(&artifact).map_err(LoadError::from)?;
            Ok(artifact)
        }
        Code::Compiled { artifact, .. } => Ok(std::mem::take(artifact)),
    })
}

/// Where a module's code comes from.
enum Code {
    Found(Entry),
    Compiled { artifact: Vec<u8>, stored: Stored },
}

/// Finds or compiles a module, and hands it with the digest of its WebAssembly to `accept`. What
/// that finds damaged goes out of the cache, and the next copy or the compiler has its turn.
fn fetch<T>(
    builder: &CodeBuilder<'_>,
    cache: &Cache,
    accept: impl Fn(&mut Code, &[u8; 32]) -> Result<T>,
) -> Result<T> {
    let (lookup, known) = known(builder, cache, &accept)?;
    if let Some(accepted) = known {
        return Ok(accepted);
    }
    let recipe = builder.engine.cache_recipe();
    let wasm = builder.source.read()?;
    let wasm_sha256 = sha256(&wasm);
    let parts = recipe.with_wasm(&wasm_sha256);
    let serve = || {
        let mut on_wait = builder.on_wait;
        let on_wait = |holder: &precast_cache::Holder| {
            on_wait.take().inspect(|on_wait| on_wait(&holder.description));
            match builder.is_cancelled() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let compile = || {
            let kept = cache.functions(recipe).map(Kept);
            let functions = kept.as_ref().map(|kept| kept as &dyn FunctionStore);
            let artifact = builder.compile_with(&wasm, functions)?;
            if let Some(Kept(functions)) = kept {
                functions.publish();
            }
            Ok(artifact)
        };
        cache.compile_once(&parts, &builder.source.name(), on_wait, compile).map_err(unserved)
    };
    for _ in 0..=ATTEMPTS {
        let accepted = match serve()? {
            Served::Cached(entry) => usable(cache, entry, |code| accept(code, &wasm_sha256))?,
            Served::Compiled { artifact, stored } => {
                Some(accept(&mut Code::Compiled { artifact, stored }, &wasm_sha256)?)
            }
        };
        if let Some(accepted) = accepted {
            remember(cache, lookup, recipe, &wasm_sha256);
            return Ok(accepted);
        }
    }
    let artifact = builder.compile(&wasm)?;
    accept(&mut Code::Compiled { artifact, stored: Stored::Not }, &wasm_sha256)
}

/// The cache, as the compiler knows it.
struct Kept<'a>(Functions<'a>);

impl FunctionStore for Kept<'_> {
    fn get(&self, key: &FunctionKey, record: &mut Vec<u8>) -> bool {
        self.0.get(&key.0, record)
    }

    fn put(&self, key: &FunctionKey, record: &[u8]) {
        self.0.put(&key.0, record);
    }
}

/// A file whose times say whether it changed, and what the cache knows of it.
type Lookup<'a> = Option<(&'a std::fs::File, FileLookup)>;

/// Finds a module without reading it, and what to remember it by when it has been read.
fn known<'b, T>(
    builder: &'b CodeBuilder<'_>,
    cache: &Cache,
    accept: impl Fn(&mut Code, &[u8; 32]) -> Result<T>,
) -> Result<(Lookup<'b>, Option<T>)> {
    let recipe = builder.engine.cache_recipe();
    let file = builder.source.open_file().filter(|_| !builder.options.verify);
    let lookup = file.map(|file| (file, cache.find_file(file, recipe)));
    let known = lookup.as_ref().and_then(|(_, lookup)| lookup.known());
    let found = match known {
        Some(known) => find(cache, &known.key, |code| accept(code, &known.wasm_sha256))?,
        None => None,
    };
    Ok((lookup, found))
}

/// The first copy of an entry that is not damaged.
fn find<T>(cache: &Cache, key: &Key, accept: impl Fn(&mut Code) -> Result<T>) -> Result<Option<T>> {
    for _ in 0..ATTEMPTS {
        let Outcome::Hit(entry) = cache.get(key) else { return Ok(None) };
        if let Some(accepted) = usable(cache, entry, &accept)? {
            return Ok(Some(accepted));
        }
    }
    Ok(None)
}

/// Whether an entry is what its key promises. A damaged one is taken out of the way; that sound
/// code does not fit here is for the caller to know.
fn usable<T>(
    cache: &Cache,
    entry: Entry,
    accept: impl Fn(&mut Code) -> Result<T>,
) -> Result<Option<T>> {
    let mut code = Code::Found(entry);
    match (accept(&mut code), code) {
        (Err(error), Code::Found(entry)) if is_damage(&error) => {
            cache.reject(entry, format!("{error:#}"));
            Ok(None)
        }
        (accepted, _) => accepted.map(Some),
    }
}

fn is_damage(error: &Error) -> bool {
    match error.downcast_ref::<LoadError>() {
        Some(LoadError::Unfit(_) | LoadError::System { .. }) => false,
        Some(_) => true,
        None => error.is::<ModuleError>(),
    }
}

fn map(builder: &CodeBuilder<'_>, entry: &Entry, wasm_sha256: &[u8; 32]) -> Result<Module> {
    let LoadOptions { placement, .. } = builder.options;
    let mapped = Mapped::from_file(entry.file(), 0, Some(entry.len()), placement)?;
    let path = Some(entry.path().to_owned());
    let module = Module::load(builder.engine, mapped, &builder.options, path)?;
    same_module(module.description(), wasm_sha256)?;
    Ok(module)
}

fn same_module(description: &BuildDescription, wasm_sha256: &[u8; 32]) -> Result<()> {
    match description.wasm_sha256 == *wasm_sha256 {
        true => Ok(()),
        false => Err(ModuleError::Damaged("it was made from another module").into()),
    }
}

fn remember(cache: &Cache, lookup: Lookup<'_>, recipe: &Recipe, wasm_sha256: &[u8; 32]) {
    if let Some((file, lookup)) = lookup {
        cache.remember(file, &lookup, recipe, wasm_sha256);
    }
}

fn unserved(error: Unserved<Error>) -> Error {
    match error {
        Unserved::Compile(error) => error,
        Unserved::Required(miss) => ModuleError::NotCached(miss.to_string()).into(),
    }
}
