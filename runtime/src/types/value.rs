//! The types of values.

use std::fmt;

use precast_artifact::index::TypeIndex;
use precast_artifact::types as raw;

use super::{ArrayType, FuncType, StructType, matching};
use crate::engine::Engine;

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit IEEE 754 float.
    F32,
    /// 64-bit IEEE 754 float.
    F64,
    /// 128-bit vector.
    V128,
    /// Reference.
    Ref(RefType),
}

/// The type of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefType {
    nullable: bool,
    heap_type: HeapType,
}

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeapType {
    /// Any function.
    Func,
    /// No function: the type of a null function reference.
    NoFunc,
    /// Any value of the host.
    Extern,
    /// No value of the host.
    NoExtern,
    /// Any internal value.
    Any,
    /// Internal values that can be compared.
    Eq,
    /// 31-bit integers.
    I31,
    /// Any structure.
    Struct,
    /// Any array.
    Array,
    /// No internal value.
    None,
    /// Any exception.
    Exn,
    /// No exception.
    NoExn,
    /// A function of one type.
    ConcreteFunc(FuncType),
    /// A structure of one type.
    ConcreteStruct(StructType),
    /// An array of one type.
    ConcreteArray(ArrayType),
}

impl ValType {
    /// `funcref`: a function or null.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `externref`: a value of the host or null.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);

    /// Whether the type is one of the integers or floats.
    pub fn is_num(&self) -> bool {
        matches!(self, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64)
    }

    /// Whether the type is a reference.
    pub fn is_ref(&self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// Whether every value of this type is one of `other`.
    ///
    /// # Panics
    ///
    /// When they belong to different engines.
    pub fn matches(&self, other: &ValType) -> bool {
        match (self, other) {
            (ValType::Ref(this), ValType::Ref(other)) => this.matches(other),
            (this, other) => this == other,
        }
    }

    /// As [`to_raw`](Self::to_raw), for the use in types of `engine`.
    ///
    /// # Panics
    ///
    /// When it belongs to another engine.
    pub(super) fn to_raw_in(&self, engine: &Engine) -> raw::ValType {
        if let ValType::Ref(ty) = self
            && let Some(own) = ty.heap_type.engine()
        {
            assert!(Engine::same(engine, own), "a type of another engine was used");
        }
        self.to_raw()
    }

    pub(crate) fn to_raw(&self) -> raw::ValType {
        match self {
            ValType::I32 => raw::ValType::I32,
            ValType::I64 => raw::ValType::I64,
            ValType::F32 => raw::ValType::F32,
            ValType::F64 => raw::ValType::F64,
            ValType::V128 => raw::ValType::V128,
            ValType::Ref(ty) => raw::ValType::Ref(ty.to_raw()),
        }
    }

    pub(crate) fn from_raw(engine: &Engine, ty: raw::ValType) -> ValType {
        match ty {
            raw::ValType::I32 => ValType::I32,
            raw::ValType::I64 => ValType::I64,
            raw::ValType::F32 => ValType::F32,
            raw::ValType::F64 => ValType::F64,
            raw::ValType::V128 => ValType::V128,
            raw::ValType::Ref(ty) => ValType::Ref(RefType::from_raw(engine, ty)),
        }
    }
}

impl RefType {
    /// `funcref`: a function or null.
    pub const FUNCREF: RefType = RefType { nullable: true, heap_type: HeapType::Func };
    /// `externref`: a value of the host or null.
    pub const EXTERNREF: RefType = RefType { nullable: true, heap_type: HeapType::Extern };

    /// The type of references to `heap_type`, and null if `nullable`.
    pub fn new(nullable: bool, heap_type: HeapType) -> RefType {
        RefType { nullable, heap_type }
    }

    /// Whether null is a value of the type.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// What a reference that is not null points to.
    pub fn heap_type(&self) -> &HeapType {
        &self.heap_type
    }

    /// Whether every reference of this type is one of `other`.
    ///
    /// # Panics
    ///
    /// When they belong to different engines.
    pub fn matches(&self, other: &RefType) -> bool {
        (other.nullable || !self.nullable) && self.heap_type.matches(&other.heap_type)
    }

    pub(crate) fn to_raw(&self) -> raw::RefType {
        let heap = match &self.heap_type {
            HeapType::Func => raw::HeapType::Func,
            HeapType::NoFunc => raw::HeapType::NoFunc,
            HeapType::Extern => raw::HeapType::Extern,
            HeapType::NoExtern => raw::HeapType::NoExtern,
            HeapType::Any => raw::HeapType::Any,
            HeapType::Eq => raw::HeapType::Eq,
            HeapType::I31 => raw::HeapType::I31,
            HeapType::Struct => raw::HeapType::Struct,
            HeapType::Array => raw::HeapType::Array,
            HeapType::None => raw::HeapType::None,
            HeapType::Exn => raw::HeapType::Exn,
            HeapType::NoExn => raw::HeapType::NoExn,
            HeapType::ConcreteFunc(ty) => raw::HeapType::ConcreteFunc(TypeIndex(ty.id())),
            HeapType::ConcreteStruct(ty) => raw::HeapType::ConcreteStruct(TypeIndex(ty.id())),
            HeapType::ConcreteArray(ty) => raw::HeapType::ConcreteArray(TypeIndex(ty.id())),
        };
        raw::RefType { nullable: self.nullable, heap }
    }

    pub(crate) fn from_raw(engine: &Engine, ty: raw::RefType) -> RefType {
        let heap_type = match ty.heap {
            raw::HeapType::Func => HeapType::Func,
            raw::HeapType::NoFunc => HeapType::NoFunc,
            raw::HeapType::Extern => HeapType::Extern,
            raw::HeapType::NoExtern => HeapType::NoExtern,
            raw::HeapType::Any => HeapType::Any,
            raw::HeapType::Eq => HeapType::Eq,
            raw::HeapType::I31 => HeapType::I31,
            raw::HeapType::Struct => HeapType::Struct,
            raw::HeapType::Array => HeapType::Array,
            raw::HeapType::None => HeapType::None,
            raw::HeapType::Exn => HeapType::Exn,
            raw::HeapType::NoExn => HeapType::NoExn,
            raw::HeapType::ConcreteFunc(id) => {
                HeapType::ConcreteFunc(FuncType::from_id(engine, id.0))
            }
            raw::HeapType::ConcreteStruct(id) => {
                HeapType::ConcreteStruct(StructType::from_id(engine, id.0))
            }
            raw::HeapType::ConcreteArray(id) => {
                HeapType::ConcreteArray(ArrayType::from_id(engine, id.0))
            }
        };
        RefType { nullable: ty.nullable, heap_type }
    }
}

impl HeapType {
    /// Whether everything of this type is of the type `other`.
    ///
    /// # Panics
    ///
    /// When they belong to different engines.
    pub fn matches(&self, other: &HeapType) -> bool {
        let raw = |ty: &HeapType| RefType::new(true, ty.clone()).to_raw().heap;
        let (this, that) = (raw(self), raw(other));
        match (self.engine(), other.engine()) {
            (Some(engine), Some(other)) => {
                assert!(Engine::same(engine, other), "a type of another engine was used");
                matching::heap_matches(engine.types(), this, that)
            }
            _ => matching::family_matches(this, that),
        }
    }

    /// The engine that the type belongs to; `None` when it belongs to all.
    fn engine(&self) -> Option<&Engine> {
        match self {
            HeapType::ConcreteFunc(ty) => Some(ty.engine()),
            HeapType::ConcreteStruct(ty) => Some(ty.engine()),
            HeapType::ConcreteArray(ty) => Some(ty.engine()),
            _ => None,
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_raw(), f)
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_raw(), f)
    }
}
