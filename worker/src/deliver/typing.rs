//! Showing a visitor that their message was read and that somebody writes: best effort, beside the turn.

use std::time::Duration;

use shared::whatsapp::Address;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use super::Deliveries;

/// Meta shows it for 25 s.
const AGAIN: Duration = Duration::from_secs(20);
/// So long a reply waits for a mark that is on its way.
pub const LINGER: Duration = Duration::from_millis(500);

/// Shows it until it is dropped, or ended.
#[derive(Debug)]
pub struct Typing {
    /// What ends it, and what sets the marks.
    shown: Option<(DropGuard, JoinHandle<()>)>,
}

impl Typing {
    /// Ends it before a reply goes out. A mark that is on its way is waited for, for up to [`LINGER`], and then called back: behind
    /// the reply it would say for 25 s that another one is being written.
    pub async fn end(self) {
        let Some((ended, mut marks)) = self.shown else {
            return;
        };
        drop(ended);
        if timeout(LINGER, &mut marks).await.is_err() {
            marks.abort();
            debug!("that somebody writes was shown too slowly");
        }
    }
}

/// Marks the message `message_id` as read, and shows its writer that somebody writes, for as long as the returned value lives.
/// Returns at once; where the provider has no such thing, nothing happens. The mark is set, too, where the turn is over sooner.
pub fn show(deliveries: &Deliveries, address: &Address, message_id: &str) -> Typing {
    show_every(deliveries, address, message_id, AGAIN)
}

/// [`show`], with the mark set again after each `pause`.
pub fn show_every(deliveries: &Deliveries, address: &Address, message_id: &str, pause: Duration) -> Typing {
    let Some(providers) = deliveries
        .providers()
        .filter(|providers| providers.meta(address).is_some())
    else {
        return Typing { shown: None };
    };
    let (providers, address, message_id) = (providers.clone(), address.clone(), message_id.to_owned());
    let ended = CancellationToken::new();
    let over = ended.clone();
    let marks = tokio::spawn(async move {
        let Some(sender) = providers.meta(&address) else {
            return;
        };
        loop {
            if !providers.show_typing(sender, &message_id).await {
                debug!("that somebody writes could not be shown");
            }
            tokio::select! {
                () = over.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    });
    Typing {
        shown: Some((ended.drop_guard(), marks)),
    }
}
