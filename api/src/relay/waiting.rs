//! Telling a visitor that nobody has taken the message yet: better than silence, and kept in the journal like all that is shown.

use std::time::Duration;

use shared::event::EventData;
use shared::ids::{RequestId, SessionKey};
use shared::journal;
use time::OffsetDateTime;
use tracing::debug;

use super::find;
use crate::state::App;

/// How long a message may be without a worker before its reader is told.
pub const WAITING_AFTER: Duration = Duration::from_secs(5);

/// Journals `waiting` where the message is still in the queue. Of several readers that do so, one gets through.
pub async fn tell(app: App, session: SessionKey, request: RequestId) {
    if !matches!(find::queued(&app, session, request).await, Ok(Some(_))) {
        return;
    }
    let waiting = EventData::status("waiting", None, OffsetDateTime::now_utc());
    if let Err(error) = journal::tell(&app.nats, session, request, &waiting).await {
        debug!(%request, kind = %error.kind(), "an event was not confirmed");
    }
}
