//! The exception that is being thrown.

use precast_artifact::vmcontext::ValRaw;

use crate::store::TagId;

/// The exception that is being thrown, or was last: of that one, the values can still be read.
#[derive(Default)]
pub(crate) struct Pending {
    state: State,
    tag: Option<TagId>,
    values: Vec<ValRaw>,
    /// Which values are references into the heap.
    references: Vec<usize>,
    /// The object, if there is one; otherwise 0.
    object: u32,
}

/// Whether a handler, or the host, is still to get the exception.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Delivered,
    Thrown,
}

impl Pending {
    /// An exception is being thrown, whose values are about to be added.
    pub(super) fn begin(&mut self, tag: TagId, references: &[usize]) {
        self.state = State::Thrown;
        self.tag = Some(tag);
        self.object = 0;
        self.values.clear();
        self.references.clear();
        self.references.extend_from_slice(references);
    }

    pub(super) fn extend(&mut self, values: &[ValRaw]) {
        self.values.extend_from_slice(values);
    }

    /// The object that the exception is.
    pub(super) fn object(&self) -> u32 {
        self.object
    }

    pub(super) fn set_object(&mut self, object: u32) {
        self.object = object;
    }

    /// The tag of the exception.
    ///
    /// # Panics
    ///
    /// When nothing has ever been thrown.
    pub(crate) fn tag(&self) -> TagId {
        self.tag.expect("an exception is being thrown")
    }

    pub(super) fn values(&self) -> &[ValRaw] {
        &self.values
    }

    /// Somebody has the exception, so it is no concern of the store any more.
    pub(crate) fn deliver(&mut self) {
        self.state = State::Delivered;
    }

    /// The references to objects that the exception needs.
    pub(crate) fn references(&self) -> Vec<u32> {
        if self.state == State::Delivered {
            return Vec::new();
        }
        let values = self.references.iter().map(|&index| self.values[index].get_u32());
        values.chain([self.object]).collect()
    }

    /// Changes these references where objects were moved.
    pub(crate) fn update_references(&mut self, mut update: impl FnMut(u32) -> u32) {
        if self.state == State::Delivered {
            return;
        }
        for &index in &self.references {
            let value = &mut self.values[index];
            *value = ValRaw::u32(update(value.get_u32()));
        }
        self.object = update(self.object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_thrown_needs_its_references() {
        let mut pending = Pending::default();
        assert!(pending.references().is_empty());
        pending.begin(TagId(3), &[1]);
        pending.extend(&[ValRaw::u32(5), ValRaw::u32(8)]);
        pending.set_object(16);
        assert_eq!(pending.references(), [8, 16]);
        pending.update_references(|reference| reference + 8);
        assert_eq!(pending.values()[1].get_u32(), 16);
        pending.deliver();
        assert!(pending.references().is_empty());
        assert_eq!((pending.values().len(), pending.object()), (2, 24));
    }
}
