//! Instances whose imports were looked up before.
#![allow(unsafe_code)] // Promises what the types of the functions are.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use precast_artifact::types::EntityType;

use super::imports::{self, Imports};
use super::{DAMAGED, Extern, Instance};
use crate::engine::Engine;
use crate::error::{LinkError, Result};
use crate::func::{HostFunc, HostImports};
use crate::module::Module;
use crate::store::{AsContextMut, StoreContextMut};

/// A module whose imports a [`Linker`](crate::Linker) has looked up.
///
/// Functions of the host were checked then, and prepared for all stores with data of type `T`: an
/// instance gets them in one copy. What belongs to a store is checked with each instance.
pub struct InstancePre<T> {
    module: Module,
    functions: Arc<HostImports>,
    /// What is no function of the host, by import; empty when nothing is.
    others: Arc<[Option<Extern>]>,
    data: PhantomData<fn(T)>,
}

/// What an import is given: something of a store, or a function for all stores.
pub(crate) enum Given<'a, T> {
    Extern(&'a Extern),
    Host(&'a HostFunc<T>),
}

impl<T: 'static> InstancePre<T> {
    /// A module with what its imports are given, in order.
    ///
    /// # Errors
    ///
    /// When the module belongs to another engine than `engine`, which the functions are for, or
    /// imports something else than one of them.
    pub(crate) fn new(
        engine: &Engine,
        module: &Module,
        given: &[Given<'_, T>],
    ) -> Result<InstancePre<T>> {
        if !Engine::same(engine, module.engine()) {
            return Err(LinkError::OtherEngine.into());
        }
        let mut functions = Vec::with_capacity(module.info().imported.functions as usize);
        let mut others = Vec::new();
        for (position, (import, given)) in module.info().imports.iter().zip(given).enumerate() {
            let function = match given {
                Given::Extern(item) => {
                    others.resize(position, None);
                    others.push(Some((*item).clone()));
                    None
                }
                Given::Host(func) => {
                    imports::check_import(module, import, None, &func.found())?;
                    let EntityType::Func(ty) = import.ty else { return Err(DAMAGED.into()) };
                    Some((*func, module.inner().exit(ty).ok_or(DAMAGED)?))
                }
            };
            if matches!(import.ty, EntityType::Func(_)) {
                functions.push(function);
            }
        }
        // SAFETY: the types were just checked; `instantiate` takes stores of `T` only.
        let functions = unsafe { HostImports::new(module, &functions) };
        Ok(InstancePre {
            module: module.clone(),
            functions: Arc::new(functions),
            others: others.into(),
            data: PhantomData,
        })
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Makes an instance.
    ///
    /// # Errors
    ///
    /// As [`Instance::new`].
    ///
    /// # Panics
    ///
    /// When a definition belongs to another store.
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>) -> Result<Instance> {
        let StoreContextMut(store) = store.as_context_mut();
        let imports = Imports::Prepared { functions: &self.functions, others: &self.others };
        Instance::with_imports(store, &self.module, imports)
    }
}

impl<T> Clone for InstancePre<T> {
    fn clone(&self) -> Self {
        InstancePre {
            module: self.module.clone(),
            functions: self.functions.clone(),
            others: self.others.clone(),
            data: PhantomData,
        }
    }
}

impl<T> fmt::Debug for InstancePre<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstancePre").field("module", &self.module).finish_non_exhaustive()
    }
}
