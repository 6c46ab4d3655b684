//! A reply whose message counts as in flight until it is answered, also when the client has gone.

use tokio::runtime::Handle;

use super::follow::{Output, Relay};
use crate::in_flight::Permit;

/// A reader, with the place of its message among those in flight; readers that only look on have none.
pub struct Counted {
    relay: Option<Relay>,
    permit: Option<Permit>,
}

impl Counted {
    /// The reader of a message that was just accepted.
    pub fn new(relay: Relay, permit: Option<Permit>) -> Self {
        Self {
            relay: Some(relay),
            permit,
        }
    }

    /// The reader.
    pub fn relay(&mut self) -> &mut Relay {
        self.relay
            .as_mut()
            .expect("it is taken only when this is dropped")
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let (Some(mut relay), Some(permit)) = (self.relay.take(), self.permit.take()) else {
            return;
        };
        // A client that sends and hangs up must not get past the limit: its message waits all the same.
        if !relay.is_over()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                while let Output::Event(_) = relay.next().await {}
                drop(permit);
            });
        }
    }
}
