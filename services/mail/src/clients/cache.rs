//! A small memory of what was asked just now: mails of one flight come together.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Remembers up to so many values for so long.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    most: usize,
    kept: Duration,
    values: Mutex<HashMap<K, (V, Instant)>>,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    pub(super) fn new(most: usize, kept: Duration) -> Self {
        Self {
            most,
            kept,
            values: Mutex::default(),
        }
    }

    /// The value, unless it is too old.
    pub(super) fn get<Q>(&self, key: &Q, now: Instant) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, since) = values.get(key)?;
        (now.duration_since(*since) < self.kept).then(|| value.clone())
    }

    /// Remembers it. Where it is full, it begins anew: that is simple, and asking again costs little.
    pub(super) fn put(&self, key: K, value: V, now: Instant) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= self.most {
            values.clear();
        }
        values.insert(key, (value, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_what_is_old_and_what_is_too_much() {
        let (cache, start) = (Cache::new(2, Duration::from_mins(1)), Instant::now());
        cache.put("a", 1, start);
        cache.put("b", 2, start);
        assert_eq!(cache.get("a", start), Some(1));
        assert_eq!(cache.get("a", start + Duration::from_mins(1)), None);
        cache.put("c", 3, start);
        assert_eq!(
            [cache.get("a", start), cache.get("c", start)],
            [None, Some(3)]
        );
    }
}
