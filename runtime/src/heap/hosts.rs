//! The values of the host that objects stand for.

use std::any::Any;

/// A value of the host.
pub(super) type HostValue = Box<dyn Any + Send + Sync>;

/// The values by number.
#[derive(Default)]
pub(super) struct HostValues {
    values: Vec<Option<HostValue>>,
    free: Vec<u32>,
    /// Those that a collection has found in use, by number.
    marks: Vec<bool>,
}

impl HostValues {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len() - self.free.len()
    }

    /// Keeps a value and returns its number; `None` when there are no more numbers.
    pub(super) fn insert(&mut self, value: HostValue) -> Option<u32> {
        if let Some(number) = self.free.pop() {
            self.values[number as usize] = Some(value);
            return Some(number);
        }
        let number = u32::try_from(self.values.len()).ok()?;
        self.values.push(Some(value));
        Some(number)
    }

    pub(super) fn get(&self, number: u32) -> Option<&(dyn Any + Send + Sync)> {
        self.values.get(number as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut (dyn Any + Send + Sync)> {
        self.values.get_mut(number as usize)?.as_deref_mut()
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, number: u32) -> Option<HostValue> {
        let value = self.values.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(value)
    }

    /// Begins to find out which ones are in use.
    pub(super) fn clear_marks(&mut self) {
        self.marks.clear();
        self.marks.resize(self.values.len(), false);
    }

    /// Notes that a value is in use.
    pub(super) fn mark(&mut self, number: u32) {
        if let Some(mark) = self.marks.get_mut(number as usize) {
            *mark = true;
        }
    }

    /// Takes out what is not in use.
    pub(super) fn sweep(&mut self) -> Vec<HostValue> {
        let unmarked = (0..self.marks.len()).filter(|&number| !self.marks[number]);
        let unmarked: Vec<u32> = unmarked.map(|number| number as u32).collect();
        unmarked.into_iter().filter_map(|number| self.remove(number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again() {
        let mut values = HostValues::default();
        let [a, b, c] = [1u8, 2, 3].map(|value| values.insert(Box::new(value)).unwrap());
        values.clear_marks();
        values.mark(b);
        values.mark(99);
        assert_eq!(values.sweep().len(), 2);
        assert_eq!((values.len(), values.get(a).is_none()), (1, true));
        assert_eq!(values.get(b).unwrap().downcast_ref(), Some(&2u8));
        assert!(values.remove(a).is_none() && values.remove(b).is_some());
        let again = [4u8, 5, 6].map(|value| values.insert(Box::new(value)).unwrap());
        assert!([a, b, c].iter().all(|number| again.contains(number)));
    }
}
