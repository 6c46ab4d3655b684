//! What both providers share: how a message is taken, answered, and told about.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use time::OffsetDateTime;
use tokio::sync::oneshot;

use super::courier::{Courier, Webhook};
use super::fault::{Fault, Plan, Target};
use super::media::Media;
use super::phone::Book;
use super::record::{Accepted, Records, Refused};
use super::serve;
use super::statuses::{State, Statuses};

/// The state of one provider, and its settings.
#[derive(Debug)]
pub struct Line {
    /// What goes wrong.
    pub faults: Plan,
    /// What was received.
    pub records: Records,
    /// Webhooks on their way.
    pub courier: Courier,
    /// What customers sent.
    pub media: Media,
    /// What customers see.
    pub book: Book,
    statuses: Mutex<Statuses>,
    webhook: Mutex<Address>,
}

/// Where webhooks go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub url: String,
    /// The URL that is signed, where a proxy stands in between.
    pub signed: String,
}

impl Line {
    /// One that keeps the newest `most` of what it receives.
    pub fn new(most: usize) -> Self {
        Self {
            faults: Plan::default(),
            records: Records::new(most),
            courier: Courier::new(),
            media: Media::default(),
            book: Book::default(),
            statuses: Mutex::default(),
            webhook: Mutex::default(),
        }
    }

    /// Where webhooks go from now on. Without it none is sent.
    pub fn webhook_to(&self, url: &str) {
        self.webhook_through(url, url);
    }

    /// The same where the clinic knows itself under another address, `public`, over which Twilio signs.
    pub fn webhook_through(&self, url: &str, public: &str) {
        *self.webhook.lock().unwrap_or_else(PoisonError::into_inner) = Address {
            url: url.to_owned(),
            signed: public.to_owned(),
        };
    }

    pub(super) fn webhook(&self) -> Address {
        self.webhook
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The way to a callback that the clinic named by its public address.
    pub(super) fn past_the_proxy(&self, callback: Address) -> Address {
        let webhook = self.webhook();
        match callback.url.strip_prefix(&webhook.signed) {
            Some(rest) if !webhook.signed.is_empty() => Address {
                url: format!("{}{rest}", webhook.url),
                ..callback
            },
            _ => callback,
        }
    }

    /// Which statuses are sent from now on; none unless it is set, but of failures.
    pub fn set_statuses(&self, statuses: Statuses) {
        *self.statuses.lock().unwrap_or_else(PoisonError::into_inner) = statuses;
    }

    /// Which statuses are sent.
    pub fn statuses(&self) -> Statuses {
        self.statuses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What happens to a request. One that is slow waits here; then all goes well with it.
    pub(super) async fn strike(&self, on: Target, to: &str) -> Fault {
        match self.faults.strike(on, to) {
            Fault::Slow(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Fault::None
            }
            fault => fault,
        }
    }

    /// Notes a request that was refused.
    pub(super) fn refuse(&self, to: &str, our_id: Option<String>, why: impl ToString) {
        self.records.refuse(Refused {
            to: to.to_owned(),
            our_id,
            why: why.to_string(),
            at: OffsetDateTime::now_utc(),
        });
    }
}

/// What the providers do each in their own way.
pub(super) trait Provider: Send + Sync + 'static {
    fn line(&self) -> &Line;
    /// The webhook of a status, where it can be sent.
    fn status(
        &self,
        accepted: &Accepted,
        state: State,
        code: Option<i64>,
        at: OffsetDateTime,
    ) -> Option<Webhook>;
    /// The answer with an error.
    fn refusal(&self, code: i64) -> Response;
    /// The answer to an accepted message.
    fn confirmation(&self, accepted: &Accepted) -> Response;
}

/// Accepts a valid message or not, as planned, and answers it.
pub(super) async fn take<P: Provider>(provider: &Arc<P>, mut message: Accepted) -> Response {
    let line = provider.line();
    let fault = line.strike(Target::Messages, &message.to).await;
    if !fault.accepts() {
        let why = match fault {
            Fault::Error(code) => code.to_string(),
            Fault::Http(status) => format!("http {status}"),
            Fault::Drop => "drop".to_owned(),
            Fault::Stall => "stall".to_owned(),
            _ => "garbage".to_owned(),
        };
        line.refuse(&message.to, message.our_id.clone(), why);
        return failed(fault, |code| provider.refusal(code)).await;
    }
    message.told = matches!(fault, Fault::None | Fault::FailLater(_));
    let confirmation = provider.confirmation(&message);
    accept(provider, message, fault).await;
    match fault {
        Fault::None | Fault::FailLater(_) => confirmation,
        _ => failed(fault, |code| provider.refusal(code)).await,
    }
}

/// The answer, or its absence, that belongs to a fault.
pub(super) async fn failed(fault: Fault, refusal: impl FnOnce(i64) -> Response) -> Response {
    match fault {
        Fault::Error(code) => refusal(code),
        Fault::Http(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Html("<h1>Sorry, something went wrong.</h1>")).into_response()
        }
        Fault::Garbage | Fault::AcceptAndGarbage => (
            [(header::CONTENT_TYPE, "application/json")],
            "<!DOCTYPE html>{\"mess",
        )
            .into_response(),
        // Until the client goes.
        Fault::Stall | Fault::AcceptAndStall => pending().await,
        Fault::Drop | Fault::AcceptAndDrop | Fault::FailLater(_) | Fault::Slow(_) | Fault::None => {
            serve::broken()
        }
    }
}

/// Notes the message and begins to tell of it.
async fn accept<P: Provider>(provider: &Arc<P>, message: Accepted, fault: Fault) {
    let line = provider.line();
    line.book.clinic_said(&message);
    line.records.accept(message.clone());
    let code = match fault {
        Fault::FailLater(code) => Some(code),
        _ => None,
    };
    let plan = line.statuses();
    let mut at = message.at;
    let mut steps = Vec::new();
    for (wait, state) in plan.sequence(code.is_some()) {
        at += wait;
        let code = code.filter(|_| state == State::Failed);
        if let Some(webhook) = provider.status(&message, state, code, at) {
            steps.push((wait, state, webhook));
        }
    }
    if steps.is_empty() {
        return;
    }
    // Dropped when the first one has been taken.
    let (first, first_taken) = oneshot::channel::<()>();
    let mut first = Some(first);
    let provider = Arc::clone(provider);
    let courier = line.courier.clone();
    courier.clone().spawn(async move {
        for (wait, state, webhook) in steps {
            tokio::time::sleep(wait).await;
            if courier.deliver(&webhook).await {
                provider.line().book.told(&message.id, state);
            }
            drop(first.take());
        }
    });
    if plan.before_the_answer {
        let _ = tokio::time::timeout(Duration::from_secs(1), first_taken).await;
    }
}
