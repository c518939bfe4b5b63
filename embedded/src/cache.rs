//! Bounded cache in memory.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// Bounded cache of two generations. A full young generation becomes the old one, and the
/// entries of the old one are dropped.
#[derive(Debug)]
pub(crate) struct GenerationCache<K, V> {
    capacity: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V> GenerationCache<K, V> {
    /// Creates a cache with `capacity` entries in each generation, twice as many in all.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::GenerationCache;

    #[test]
    fn cache_drops_the_old_generation_when_the_young_one_is_full() {
        let mut cache = GenerationCache::new(2);
        for number in 0..100 {
            cache.insert(number, number);
            assert_eq!(cache.get(&number), Some(&number));
            assert!(cache.young.len() + cache.old.len() <= 4);
        }
        assert_eq!(cache.get(&0), None);
    }

    #[test]
    fn removed_entry_is_gone_from_both_generations() {
        let mut cache = GenerationCache::new(1);
        cache.insert("key", 1);
        cache.insert("other", 1);
        cache.insert("key", 2);
        cache.remove("key");
        assert_eq!(cache.get("key"), None);
    }
}
