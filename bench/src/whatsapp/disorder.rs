//! How webhooks come: in batches, more than once, and in another order.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What happens to a sequence of messages and statuses on their way.
#[derive(Clone, Debug)]
pub struct Disorder {
    /// The same seed makes the same disorder.
    pub seed: u64,
    /// The part of them that comes twice, 0 to 1.
    pub repeated: f64,
    /// How many places behind its own one can come; a repetition can come ten times as late.
    pub displaced: usize,
    /// How many come in one webhook at most.
    pub batch: usize,
}

impl Disorder {
    /// Each by itself, once, in order.
    pub fn none() -> Self {
        Self {
            seed: 0,
            repeated: 0.0,
            displaced: 0,
            batch: 1,
        }
    }

    /// A fifth comes twice, up to seven in a webhook, each up to five places late.
    pub fn usual(seed: u64) -> Self {
        Self {
            seed,
            repeated: 0.2,
            displaced: 5,
            batch: 7,
        }
    }

    /// The batches, in the order in which they are to be sent.
    pub fn arrange<T: Clone>(&self, items: impl IntoIterator<Item = T>) -> Vec<Vec<T>> {
        let mut random = StdRng::seed_from_u64(self.seed);
        let mut placed = Vec::new();
        for (place, item) in items.into_iter().enumerate() {
            if random.random_bool(self.repeated.clamp(0.0, 1.0)) {
                let later = 1 + random.random_range(0..=self.displaced.saturating_mul(10));
                placed.push((place + later, item.clone()));
            }
            placed.push((place + random.random_range(0..=self.displaced), item));
        }
        placed.sort_by_key(|(place, _)| *place);
        let mut batches = Vec::new();
        let mut rest = placed.into_iter().map(|(_, item)| item).peekable();
        while rest.peek().is_some() {
            let size = random.random_range(1..=self.batch.max(1));
            batches.push(rest.by_ref().take(size).collect());
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_come_some_twice_in_batches_and_in_another_order() {
        let items: Vec<u32> = (0..500).collect();
        let batches = Disorder::usual(7).arrange(items.clone());
        let flat: Vec<u32> = batches.concat();
        assert!(
            flat.len() > 550 && batches.len() < 250,
            "{} {}",
            flat.len(),
            batches.len()
        );
        assert!(!flat.is_sorted());
        let mut unique = flat.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique, items);
        assert_eq!(Disorder::usual(7).arrange(items.clone()), batches);
        assert_eq!(Disorder::none().arrange(items.clone()).concat(), items);
    }
}
