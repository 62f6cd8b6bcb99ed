//! The best few of many: what keeps a search bounded however much it looks at.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::itinerary::Key;

struct Entry<T>(Key, T);

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// The first `limit` entries after a place, of all that are pushed in any order.
pub(super) struct Best<T> {
    /// The worst on top.
    heap: BinaryHeap<Entry<T>>,
    after: Option<Key>,
    limit: usize,
}

impl<T> Best<T> {
    pub(super) fn new(after: Option<Key>, limit: usize) -> Self {
        Self {
            heap: BinaryHeap::new(),
            after,
            limit,
        }
    }

    /// Whether nothing that sorts by `first` can still get in.
    pub(super) fn is_closed_to(&self, first: i64) -> bool {
        self.heap.len() >= self.limit && self.heap.peek().is_none_or(|worst| first > worst.0.first)
    }

    pub(super) fn push(&mut self, key: Key, value: T) {
        if self.after.is_some_and(|after| key <= after) {
            return;
        }
        if self.heap.len() < self.limit {
            self.heap.push(Entry(key, value));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && key < worst.0
        {
            *worst = Entry(key, value);
        }
    }

    /// The entries in order.
    pub(super) fn into_sorted(self) -> Vec<(Key, T)> {
        self.heap
            .into_sorted_vec()
            .into_iter()
            .map(|Entry(key, value)| (key, value))
            .collect()
    }
}
