//! Globals.
#![allow(unsafe_code)] // The definition that generated code reads.

use precast_artifact::types as raw;
use precast_artifact::vmcontext::VMGlobalDefinition;

use crate::error::{Result, TypeError};
use crate::store::{AsContext, AsContextMut, GlobalId, StoreContextMut, StoreId, StoreOpaque};
use crate::types::{Found, GlobalType};
use crate::value::Val;
use crate::vm::{OwnDefinition, VmGlobal};

/// A handle to a global of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Global {
    store: StoreId,
    id: GlobalId,
}

/// A global as its store keeps it.
pub(crate) struct GlobalData {
    ty: raw::GlobalType,
    definition: VmGlobal,
    /// Where the definition is when it is in no VMContext.
    _own: Option<OwnDefinition<VMGlobalDefinition>>,
}

impl Global {
    /// A new global with this value.
    ///
    /// # Errors
    ///
    /// When the value is not of the type.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Global> {
        let StoreContextMut(store) = store.as_context_mut();
        let ty = ty.to_raw();
        let value = value.to_raw(&mut store.opaque, ty.content)?;
        store.opaque.retain(ty.content, value);
        let own = OwnDefinition::new(VMGlobalDefinition { value });
        // SAFETY: freed with the data, which the store keeps until its end.
        let definition = unsafe { VmGlobal::new(own.pointer()) };
        let data = GlobalData { ty, definition, _own: Some(own) };
        let id = store.opaque.globals.push(data);
        Ok(Global { store: store.opaque.id(), id })
    }

    pub(crate) fn from_id(store: &StoreOpaque, id: GlobalId) -> Global {
        Global { store: store.id(), id }
    }

    pub(crate) fn id(self, store: &StoreOpaque) -> GlobalId {
        store.check(self.store);
        self.id
    }

    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        let store = store.as_context().opaque();
        GlobalType::from_raw(store.engine(), store.globals[self.id(store)].ty)
    }

    pub(crate) fn found(self, store: &StoreOpaque) -> Found {
        let ty = store.globals[self.id(store)].ty;
        Found { ty: raw::EntityType::Global(ty), bounds: None }
    }

    /// Its value.
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        let StoreContextMut(store) = store.as_context_mut();
        let store = &mut store.opaque;
        let GlobalData { ty, definition, .. } = store.globals[self.id(store)];
        // SAFETY: the definition holds a value of its type, which only this store writes.
        unsafe { Val::from_raw(store, ty.content, definition.get()) }
    }

    /// Assigns it.
    ///
    /// # Errors
    ///
    /// When it is immutable, or the value is not of its type.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<()> {
        let StoreContextMut(store) = store.as_context_mut();
        let store = &mut store.opaque;
        let GlobalData { ty, definition, .. } = store.globals[self.id(store)];
        if !ty.mutable {
            return Err(TypeError::Immutable.into());
        }
        let value = value.to_raw(store, ty.content)?;
        store.retain(ty.content, value);
        let old = definition.get();
        definition.set(value);
        let _garbage = store.release(ty.content, old);
        Ok(())
    }
}

impl GlobalData {
    /// A global in a VMContext.
    pub(crate) fn inline(ty: raw::GlobalType, definition: VmGlobal) -> GlobalData {
        GlobalData { ty, definition, _own: None }
    }

    /// The type of its value, if that is a reference.
    pub(crate) fn ref_type(&self) -> Option<raw::RefType> {
        match self.ty.content {
            raw::ValType::Ref(ty) => Some(ty),
            _ => None,
        }
    }

    pub(crate) fn definition(&self) -> VmGlobal {
        self.definition
    }
}
