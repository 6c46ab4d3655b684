//! Calls that share a round trip: what queued while the last call was on its way goes together.

use tokio::sync::{mpsc, oneshot};

/// Hands items to one task, which passes all that are waiting to a single call.
///
/// An idle batcher adds no wait: the first item goes at once, alone.
#[derive(Debug)]
pub struct Batcher<I, O> {
    queue: mpsc::Sender<(I, oneshot::Sender<O>)>,
}

impl<I, O> Clone for Batcher<I, O> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
        }
    }
}

/// The call ended without an answer for this item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch was given up")]
pub struct GivenUp;

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// A batcher whose `call` gets up to `most` items and returns as many results, in their order.
    pub fn new<F, Answer>(most: usize, call: F) -> Self
    where
        F: Fn(Vec<I>) -> Answer + Send + 'static,
        Answer: Future<Output = Vec<O>> + Send,
    {
        let (queue, mut waiting) = mpsc::channel::<(I, oneshot::Sender<O>)>(most * 2);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(most);
            while waiting.recv_many(&mut batch, most).await > 0 {
                let (items, answers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
                for (output, answer) in call(items).await.into_iter().zip(answers) {
                    let _ = answer.send(output);
                }
            }
        });
        Self { queue }
    }

    /// Adds an item to the next call and waits for its result.
    ///
    /// # Errors
    /// The call returned no result for it.
    pub async fn submit(&self, item: I) -> Result<O, GivenUp> {
        let (answer, result) = oneshot::channel();
        self.queue.send((item, answer)).await.map_err(|_| GivenUp)?;
        result.await.map_err(|_| GivenUp)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_queued_during_a_call_goes_together_and_each_gets_its_own_answer() {
        let gate = Arc::new(Semaphore::new(0));
        let open = gate.clone();
        let batcher = Batcher::new(16, move |items: Vec<u32>| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                let size = items.len();
                items.into_iter().map(|item| (item, size)).collect()
            }
        });
        let (answer, first) = oneshot::channel();
        batcher.queue.send((0, answer)).await.unwrap();
        while batcher.queue.capacity() < batcher.queue.max_capacity() {
            tokio::task::yield_now().await;
        }
        let rest: Vec<_> = (1..=5)
            .map(|item| {
                let batcher = batcher.clone();
                tokio::spawn(async move { batcher.submit(item).await })
            })
            .collect();
        while batcher.queue.capacity() > batcher.queue.max_capacity() - 5 {
            tokio::task::yield_now().await;
        }
        open.add_permits(2);
        assert_eq!(first.await, Ok((0, 1)));
        for (item, task) in (1..).zip(rest) {
            assert_eq!(task.await.unwrap(), Ok((item, 5)));
        }
    }
}
