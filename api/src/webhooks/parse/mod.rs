//! What is in a webhook. No function here needs a server, and none fails: what nobody understands is found out, too.

mod meta_content;
mod surrogates;
mod text;

pub mod meta;
pub mod twilio;

use shared::envelope::Envelope;
use shared::ids::Channel;
use shared::media::Media;
use shared::whatsapp::{Address, Change, WhatsApp};
use time::OffsetDateTime;

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    content: String,
    media: Vec<Media>,
}

/// The message as it goes onto the queue.
fn envelope(
    address: Address,
    provider_id: String,
    sent_at: OffsetDateTime,
    change: Change,
    said: Said,
    now: OffsetDateTime,
) -> Envelope {
    let (request, session) = (address.request(&provider_id), address.session());
    let (device, phone_number) = (address.device(), address.to.phone_number());
    Envelope {
        content: text::clean(&said.content),
        media: said.media,
        received_at: now,
        whatsapp: Some(WhatsApp {
            address,
            provider_id,
            // A clock that is ahead of ours must not make the 24 hours longer.
            sent_at: sent_at.min(now),
            change,
            urgent: false,
        }),
        ..Envelope::new(request, session, Channel::Whatsapp, device, phone_number)
    }
}
