//! A gate before each token: a test lets them through one by one, and so knows what a reader has while the next one is held.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Clones are the same gate. It is closed at first.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Lets so many more tokens through.
    pub fn let_through(&self, tokens: usize) {
        self.0.add_permits(tokens);
    }

    /// Lets everything through.
    pub fn open(&self) {
        self.0.close();
    }

    /// Waits until one more may pass.
    pub(super) async fn pass(&self) {
        // An error says that the gate was opened.
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}
