//! The collector that frees nothing: values live as long as their store.

use std::any::Any;

/// The values that a store's references point to.
#[derive(Default)]
pub(crate) struct NullHeap {
    values: Vec<Box<dyn Any + Send + Sync>>,
}

impl NullHeap {
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Keeps a value and returns the reference to it; `None` when there are no more references.
    pub(crate) fn insert(&mut self, value: Box<dyn Any + Send + Sync>) -> Option<u32> {
        let reference = u32::try_from(self.values.len() + 1).ok()?.checked_mul(2)?;
        self.values.push(value);
        Some(reference)
    }

    pub(crate) fn get(&self, reference: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.values.get(position(reference)?).map(|value| &**value)
    }

    pub(crate) fn get_mut(&mut self, reference: u32) -> Option<&mut (dyn Any + Send + Sync)> {
        self.values.get_mut(position(reference)?).map(|value| &mut **value)
    }
}

fn position(reference: u32) -> Option<usize> {
    if reference & 1 != 0 {
        return None;
    }
    ((reference / 2) as usize).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_even_and_not_null() {
        let mut heap = NullHeap::default();
        let references = [1u8, 2].map(|value| heap.insert(Box::new(value)).unwrap());
        assert_eq!(references, [2, 4]);
        assert_eq!(heap.get(4).unwrap().downcast_ref::<u8>(), Some(&2));
        assert!([0, 1, 3, 6].iter().all(|&reference| heap.get(reference).is_none()));
    }
}
