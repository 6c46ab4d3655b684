//! Showing a visitor that their message was read and that somebody writes: best effort, beside the turn.

use std::time::Duration;

use shared::whatsapp::Address;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use super::Deliveries;

/// Meta shows it for 25 s.
const AGAIN: Duration = Duration::from_secs(20);

/// Shows it until it is dropped.
#[derive(Debug)]
pub struct Typing {
    _ended: Option<DropGuard>,
}

/// Marks the message `message_id` as read, and shows its writer that somebody writes, for as long as the returned value lives.
/// Returns at once; where the provider has no such thing, nothing happens. The mark is set, too, where the turn is over sooner.
pub fn show(deliveries: &Deliveries, address: &Address, message_id: &str) -> Typing {
    let Some(providers) = deliveries
        .providers()
        .filter(|providers| providers.meta(address).is_some())
    else {
        return Typing { _ended: None };
    };
    let (providers, address, message_id) = (providers.clone(), address.clone(), message_id.to_owned());
    let ended = CancellationToken::new();
    let over = ended.clone();
    tokio::spawn(async move {
        let Some(sender) = providers.meta(&address) else {
            return;
        };
        loop {
            if !providers.show_typing(sender, &message_id).await {
                debug!("that somebody writes could not be shown");
            }
            tokio::select! {
                () = over.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    });
    Typing {
        _ended: Some(ended.drop_guard()),
    }
}
