//! Showing a visitor that their message was read and that somebody writes: best effort, beside the turn.

use std::time::Duration;

use shared::whatsapp::Address;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::Deliveries;

/// Meta shows it for 25 s.
const AGAIN: Duration = Duration::from_secs(20);

/// Shows it until it is dropped.
#[derive(Debug)]
pub struct Typing {
    _task: Option<AbortOnDropHandle<()>>,
}

/// Marks the message `message_id` as read, and shows its writer that somebody writes, for as long as the returned value lives.
/// Returns at once; where the provider has no such thing, nothing happens.
pub fn show(deliveries: &Deliveries, address: &Address, message_id: &str) -> Typing {
    let Some(providers) = deliveries
        .providers()
        .filter(|providers| providers.meta(address).is_some())
    else {
        return Typing { _task: None };
    };
    let (providers, address, message_id) = (providers.clone(), address.clone(), message_id.to_owned());
    let task = tokio::spawn(async move {
        let Some(sender) = providers.meta(&address) else {
            return;
        };
        loop {
            if !providers.show_typing(sender, &message_id).await {
                debug!("that somebody writes could not be shown");
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
    Typing {
        _task: Some(AbortOnDropHandle::new(task)),
    }
}
