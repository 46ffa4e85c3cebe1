//! Imports by name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use precast_artifact::module::Import;

use crate::engine::Engine;
use crate::error::{Error, LinkError, Result};
use crate::func::{Caller, Func, HostFunc, HostFuncOf, IntoFunc, dynamic};
use crate::instance::{Extern, Given, Instance, InstancePre};
use crate::module::Module;
use crate::store::{AsContext, AsContextMut, StoreContextMut, StoreInner};
use crate::types::{ExternType, FuncType, ImportType, describe_entity};
use crate::value::Val;

/// Definitions by module name and field name, from which the imports of modules are taken.
///
/// Functions that it defines itself ([`Linker::func_wrap`], [`Linker::func_new`]) work in all
/// stores with data of type `T`, so one linker serves many stores and threads; what comes
/// from a store ([`Linker::define`], [`Linker::instance`]) works only in that one, except for
/// shared memories.
///
/// ```
/// use precast_runtime::{Engine, Linker};
///
/// let engine = Engine::default();
/// let mut linker: Linker<()> = Linker::new(&engine);
/// linker.func_wrap("host", "double", |x: i32| x * 2)?;
/// assert!(linker.func_wrap("host", "double", |x: i32| x + x).is_err());
/// # Ok::<(), precast_runtime::Error>(())
/// ```
pub struct Linker<T> {
    engine: Engine,
    names: HashMap<Arc<str>, HashMap<Arc<str>, Definition<T>>>,
    allow_shadowing: bool,
}

enum Definition<T> {
    Extern(Extern),
    Host(Arc<HostFunc<T>>),
}

impl<T: 'static> Linker<T> {
    /// A linker without definitions.
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker { engine: engine.clone(), names: HashMap::new(), allow_shadowing: false }
    }

    /// The engine that it was made with.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether a name may be defined again, which is an error otherwise.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.allow_shadowing = allow;
        self
    }

    /// Defines something that belongs to a store, or a shared memory.
    ///
    /// # Errors
    ///
    /// When the name is defined already.
    pub fn define(
        &mut self,
        store: impl AsContext<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Self> {
        let item = item.into();
        // Panics now rather than later when it is of another store.
        item.found(store.as_context().opaque());
        self.insert(module, name, Definition::Extern(item))
    }

    /// Defines a host function by a Rust closure: see [`IntoFunc`].
    ///
    /// # Errors
    ///
    /// When the name is defined already.
    pub fn func_wrap<Params, Results>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Result<&mut Self> {
        let HostFuncOf(func) = func.into_func(&self.engine);
        self.insert(module, name, Definition::Host(Arc::new(func)))
    }

    /// Defines a host function of type `ty` that gets its parameters and returns its results
    /// in slices.
    ///
    /// # Errors
    ///
    /// When the name is defined already.
    ///
    /// # Panics
    ///
    /// When the type belongs to another engine than the linker.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        let same = Engine::same(ty.engine(), &self.engine);
        assert!(same, "the function's type belongs to another engine than the linker");
        self.insert(module, name, Definition::Host(Arc::new(dynamic(ty, func))))
    }

    /// Defines all exports of an instance under the module name `module`.
    ///
    /// # Errors
    ///
    /// When one of the names is defined already.
    pub fn instance(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Self> {
        let store = store.as_context_mut();
        for export in instance.exports(store) {
            let name = export.name();
            let item = export.into_extern();
            self.insert(module, name, Definition::Extern(item))?;
        }
        Ok(self)
    }

    /// Defines a name as another one's definition.
    ///
    /// # Errors
    ///
    /// When the other is not defined, or this one is already.
    pub fn alias(
        &mut self,
        module: &str,
        name: &str,
        as_module: &str,
        as_name: &str,
    ) -> Result<&mut Self> {
        let definition = self.definition(module, name).cloned();
        let missing = || {
            Error::from(LinkError::Unknown {
                module: module.to_owned(),
                name: name.to_owned(),
                expected: "anything".to_owned(),
            })
        };
        self.insert(as_module, as_name, definition.ok_or_else(missing)?)
    }

    /// Defines all names of one module name under another as well.
    ///
    /// # Errors
    ///
    /// When one of them is defined already.
    pub fn alias_module(&mut self, module: &str, as_module: &str) -> Result<&mut Self> {
        let Some(names) = self.names.get(module) else { return Ok(self) };
        let names: Vec<_> =
            names.iter().map(|(name, definition)| (name.clone(), definition.clone())).collect();
        for (name, definition) in names {
            self.insert(as_module, &name, definition)?;
        }
        Ok(self)
    }

    /// Defines every function that `module` imports and that has no definition as one that
    /// fails when it is called.
    ///
    /// # Errors
    ///
    /// When an import without definition is not a function.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        for (import, ty) in module.info().imports.iter().zip(module.imports()) {
            let (from, name) = (&*import.module, &*import.name);
            if self.definition(from, name).is_some() {
                continue;
            }
            let ExternType::Func(ty) = ty.ty() else { return Err(unknown(module, import)) };
            let message = format!("unknown import: `{from}::{name}` has not been defined");
            self.func_new(from, name, ty, move |_, _, _| Err(Error::msg(&message)))?;
        }
        Ok(())
    }

    /// Defines every function that `module` imports and that has no definition as one that
    /// returns zeros and nulls.
    ///
    /// # Errors
    ///
    /// When an import without definition is not a function, or returns references that
    /// cannot be null.
    pub fn define_unknown_imports_as_default_values(&mut self, module: &Module) -> Result<()> {
        for (import, ty) in module.info().imports.iter().zip(module.imports()) {
            let (from, name) = (&*import.module, &*import.name);
            if self.definition(from, name).is_some() {
                continue;
            }
            let ExternType::Func(ty) = ty.ty() else { return Err(unknown(module, import)) };
            let zeros: Option<Vec<Val>> = ty.results().map(|ty| Val::default_for_ty(&ty)).collect();
            let zeros = zeros.ok_or_else(|| unknown(module, import))?;
            self.func_new(from, name, ty, move |_, _, results| {
                results.copy_from_slice(&zeros);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Makes an instance whose imports come from the definitions.
    ///
    /// # Errors
    ///
    /// When an import is not defined, and as [`Instance::new`].
    ///
    /// # Panics
    ///
    /// When a definition belongs to another store.
    pub fn instantiate(
        &self,
        store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        self.instantiate_pre(module)?.instantiate(store)
    }

    /// Looks the imports of a module up, to make many instances of it.
    ///
    /// # Errors
    ///
    /// When an import is not defined, or is not what a function of the host is, or the module
    /// belongs to another engine.
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre<T>> {
        let given = |import: &Import| {
            let definition = self.definition(&import.module, &import.name);
            match definition.ok_or_else(|| unknown(module, import))? {
                Definition::Extern(item) => Ok(Given::Extern(item)),
                Definition::Host(func) => Ok(Given::Host(func)),
            }
        };
        let given: Vec<_> = module.info().imports.iter().map(given).collect::<Result<_>>()?;
        InstancePre::new(&self.engine, module, &given)
    }

    /// What is defined under a name.
    pub fn get(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Option<Extern> {
        let StoreContextMut(store) = store.as_context_mut();
        Some(self.definition(module, name)?.in_store(store))
    }

    /// What is defined under the name of an import.
    pub fn get_by_import(
        &self,
        store: impl AsContextMut<Data = T>,
        import: &ImportType<'_>,
    ) -> Option<Extern> {
        self.get(store, import.module(), import.name())
    }

    fn definition(&self, module: &str, name: &str) -> Option<&Definition<T>> {
        self.names.get(module)?.get(name)
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition<T>) -> Result<&mut Self> {
        let names = match self.names.get_mut(module) {
            Some(names) => names,
            None => self.names.entry(module.into()).or_default(),
        };
        if names.contains_key(name) && !self.allow_shadowing {
            let (module, name) = (module.to_owned(), name.to_owned());
            return Err(LinkError::Duplicate { module, name }.into());
        }
        names.insert(name.into(), definition);
        Ok(self)
    }
}

impl<T: 'static> Definition<T> {
    fn in_store(&self, store: &mut StoreInner<T>) -> Extern {
        match self {
            Definition::Extern(item) => item.clone(),
            Definition::Host(func) => Extern::Func(Func::from_host(store, func)),
        }
    }
}

fn unknown(module: &Module, import: &Import) -> Error {
    let expected = match module.inner().entity_type(&import.ty) {
        Ok(ty) => describe_entity(module.engine().types(), &ty),
        Err(error) => return error.into(),
    };
    let (module, name) = (import.module.clone(), import.name.clone());
    LinkError::Unknown { module, name, expected }.into()
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Linker {
            engine: self.engine.clone(),
            names: self.names.clone(),
            allow_shadowing: self.allow_shadowing,
        }
    }
}

impl<T> Clone for Definition<T> {
    fn clone(&self) -> Self {
        match self {
            Definition::Extern(item) => Definition::Extern(item.clone()),
            Definition::Host(func) => Definition::Host(func.clone()),
        }
    }
}

impl<T> fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Linker").field("modules", &self.names.keys()).finish_non_exhaustive()
    }
}
