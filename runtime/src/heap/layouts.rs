//! What objects consist of.

use std::collections::HashMap;
use std::sync::Arc;

use precast_artifact::object::{
    ARRAY_LENGTH, ArrayLayout, EXCEPTION_OBJECT, FIRST_TYPE, HOST_OBJECT, OBJECT_HEADER_SIZE,
    OBJECT_TYPE, ObjectLayout,
};
use precast_artifact::vmcontext::ValRaw;

use super::space::Space;
use crate::engine::Engine;
use crate::store::TagId;

/// The size of an object that stands for a value of the host; its number is behind the header.
pub(super) const HOST_SIZE: u32 = 16;
/// Where the number of that value is.
pub(super) const HOST_NUMBER: u32 = OBJECT_HEADER_SIZE;

/// Where the tag of an exception is.
pub(crate) const EXCEPTION_TAG: u32 = OBJECT_HEADER_SIZE;
/// Where the number of its values is.
pub(crate) const EXCEPTION_LEN: u32 = EXCEPTION_TAG + 4;
/// Where its values are, each as a `ValRaw`.
pub(crate) const EXCEPTION_VALUES: u32 = EXCEPTION_LEN + 4;

/// What an object consists of.
pub(super) struct Shape {
    /// Its size in bytes.
    pub(super) size: u32,
    /// Where it has references.
    pub(super) references: References,
}

/// Where an object has references, in bytes from its start.
#[derive(Clone)]
pub(super) enum References {
    /// At these places.
    At(Arc<[u32]>),
    /// In words that follow each other.
    Words { first: u32, count: u32 },
}

/// The shapes that were needed so far.
pub(super) struct Layouts {
    engine: Engine,
    /// By engine-wide index.
    types: Vec<Option<TypeLayout>>,
    exceptions: HashMap<TagId, Arc<[u32]>>,
}

/// What the objects of a type consist of.
enum TypeLayout {
    Struct { size: u32, references: Arc<[u32]> },
    Array(ArrayLayout),
}

impl References {
    /// None.
    pub(super) const NONE: References = References::Words { first: 0, count: 0 };

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        match self {
            References::At(places) => places.len() as u32,
            References::Words { count, .. } => *count,
        }
    }

    /// The place of one of them.
    pub(super) fn at(&self, index: u32) -> u32 {
        match self {
            References::At(places) => places[index as usize],
            References::Words { first, .. } => first + index * size_of::<u32>() as u32,
        }
    }
}

/// The size of an exception with `len` values; `None` when it is too large.
pub(crate) fn exception_size(len: usize) -> Option<u32> {
    let values = len.checked_mul(size_of::<ValRaw>())?;
    u32::try_from(values).ok()?.checked_add(EXCEPTION_VALUES)
}

impl Layouts {
    pub(super) fn new(engine: &Engine) -> Layouts {
        Layouts { engine: engine.clone(), types: Vec::new(), exceptions: HashMap::new() }
    }

    /// Says which values of exceptions with a tag are references into the heap.
    pub(super) fn add_tag(&mut self, tag: TagId, references: &[usize]) {
        self.exceptions.entry(tag).or_insert_with(|| {
            let place = |index: &usize| EXCEPTION_VALUES + (index * size_of::<ValRaw>()) as u32;
            references.iter().map(place).collect()
        });
    }

    /// What an object consists of.
    ///
    /// # Panics
    ///
    /// When there is no object.
    pub(super) fn shape(&mut self, space: &Space, object: u32) -> Shape {
        match space.read(object + OBJECT_TYPE) {
            HOST_OBJECT => Shape { size: HOST_SIZE, references: References::NONE },
            EXCEPTION_OBJECT => {
                let tag = TagId(space.read(object + EXCEPTION_TAG));
                let size = exception_size(space.read(object + EXCEPTION_LEN) as usize);
                let references = self.exceptions.get(&tag).cloned().map(References::At);
                let known = "exceptions are only made with tags of the store";
                Shape { size: size.expect(known), references: references.expect(known) }
            }
            type_id => match self.of_type(type_id) {
                TypeLayout::Struct { size, references } => {
                    Shape { size: *size, references: References::At(references.clone()) }
                }
                TypeLayout::Array(layout) => {
                    let len = space.read(object + ARRAY_LENGTH);
                    let size = layout.size(len).expect("arrays are only made in possible sizes");
                    let count = if layout.references { len } else { 0 };
                    let references = References::Words { first: layout.elements, count };
                    Shape { size, references }
                }
            },
        }
    }

    /// The size of an object, in bytes.
    ///
    /// # Panics
    ///
    /// When there is no object.
    pub(super) fn size(&mut self, space: &Space, object: u32) -> u32 {
        match space.read(object + OBJECT_TYPE) {
            type_id @ FIRST_TYPE..
                if let TypeLayout::Struct { size, .. } = self.of_type(type_id) =>
            {
                *size
            }
            _ => self.shape(space, object).size,
        }
    }

    fn of_type(&mut self, type_id: u32) -> &TypeLayout {
        let index = type_id as usize;
        if self.types.len() <= index {
            self.types.resize_with(index + 1, || None);
        }
        let types = self.engine.types();
        self.types[index].get_or_insert_with(|| match types.get(type_id).layout() {
            Some(ObjectLayout::Struct(layout)) => {
                let references = (*layout.references).into();
                TypeLayout::Struct { size: layout.size, references }
            }
            Some(ObjectLayout::Array(layout)) => TypeLayout::Array(*layout),
            None => panic!("an object of the type {type_id}, which has none"),
        })
    }
}
