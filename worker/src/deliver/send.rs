//! Sending one claimed part, and storing what became of it.

use std::sync::Arc;
use std::time::Duration;

use shared::db;
use shared::db::delivery::{Claimed, Settled, Settlement, Verdict};
use shared::retry::{self, UNTIL_CANCELLED};
use shared::whatsapp::SenderKey;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Settings;
use super::outcome::{Outcome, Refusal};
use super::provider::{Message, Providers};

/// For so long after a visitor's last message WhatsApp lets a business write freely.
const WINDOW: time::Duration = time::Duration::hours(24);

/// What sending needs.
pub(super) struct Sending {
    pub(super) providers: Arc<Providers>,
    pub(super) settings: Arc<Settings>,
    pub(super) db: PgPool,
}

/// Sends `part`, which a call made at `asked` has claimed, when its time has come; unless somebody else may have it by then.
pub(super) async fn send(sending: &Sending, part: &Claimed, asked: Instant, hard: &CancellationToken) {
    let Some(address) = &part.address else {
        let settlement = Settlement {
            kind: Settled::Refused(Verdict::Final),
            code: Some("address_unreadable".into()),
            wait: Duration::ZERO,
            answered: false,
        };
        return settle(sending, part, None, &settlement, hard).await;
    };
    if part.resent {
        warn!(
            delivery = %part.id, session = %part.session, attempt = part.attempts,
            "a message is sent again, since nobody told what became of it"
        );
    }
    tokio::time::sleep(part.wait).await;
    // A worker that was asleep, with its machine perhaps. What it has not sent by now is sent by whoever claims it next.
    if asked.elapsed() > part.wait + sending.settings.rules.answer / 2 {
        warn!(delivery = %part.id, session = %part.session, "a message was not sent in time");
        return;
    }
    let sender = address.sender_key();
    let window_is_over = part
        .last_written_at
        .is_some_and(|written| OffsetDateTime::now_utc() - written > WINDOW);
    let outcome = if part.template {
        sending.providers.send_template(&sender, &address.to).await
    } else if window_is_over {
        Outcome::NotSent {
            code: "window_over",
            verdict: Verdict::WindowClosed,
        }
    } else {
        let message = Message {
            id: part.id,
            to: &address.to,
            body: &part.body,
            buttons: &part.buttons,
            answers: part.answers.as_deref(),
        };
        sending.providers.send(&sender, message).await
    };
    let settlement = settlement(&outcome, part, &sending.settings);
    settle(sending, part, Some(&sender), &settlement, hard).await;
}

/// What an outcome comes to.
fn settlement(outcome: &Outcome, part: &Claimed, settings: &Settings) -> Settlement {
    match outcome {
        Outcome::Accepted(name) => Settlement {
            kind: Settled::Accepted(name.clone()),
            code: None,
            wait: Duration::ZERO,
            answered: true,
        },
        Outcome::Unknown { code } => Settlement {
            kind: Settled::Uncertain,
            code: Some((*code).into()),
            wait: settings.rules.answer,
            answered: false,
        },
        Outcome::NotSent { code, verdict } => Settlement {
            kind: Settled::Refused(*verdict),
            code: Some((*code).into()),
            wait: wait(settings, *verdict, part.attempts),
            answered: false,
        },
        Outcome::Refused(Refusal {
            verdict,
            code,
            retry_after,
        }) => Settlement {
            kind: Settled::Refused(*verdict),
            code: Some(code.clone()),
            wait: wait(settings, *verdict, part.attempts).max(retry_after.unwrap_or_default()),
            // A server in trouble may not have looked at the token.
            answered: *verdict != Verdict::BackOff,
        },
    }
}

/// Until a part is sent again that was refused in its `attempt`th try.
pub(super) fn wait(settings: &Settings, verdict: Verdict, attempt: u32) -> Duration {
    let backoff = settings.backoff.wait_before(attempt);
    match verdict {
        Verdict::RecipientWaits => backoff.max(settings.rules.pair_every),
        _ => backoff,
    }
}

/// Stores it, as long as PostgreSQL takes: what was accepted and is not stored is sent again.
async fn settle(
    sending: &Sending,
    part: &Claimed,
    sender: Option<&SenderKey>,
    settlement: &Settlement,
    hard: &CancellationToken,
) {
    let rules = &sending.settings.rules;
    let stored = retry::retry(UNTIL_CANCELLED, hard, db::is_temporary, || {
        db::delivery::settle_claim(&sending.db, part, sender, settlement, rules)
    });
    let status = match stored.await {
        Ok(status) => status,
        Err(error) => {
            warn!(
                delivery = %part.id, session = %part.session, code = db::code(&error),
                "❌ Error: what became of a message could not be stored"
            );
            return;
        }
    };
    let (code, attempt) = (settlement.code.as_deref().unwrap_or_default(), part.attempts);
    match (&settlement.kind, status.as_deref()) {
        (_, None) => debug!(delivery = %part.id, session = %part.session, "a message was settled by others"),
        (Settled::Accepted(_), Some(_)) => {
            info!(delivery = %part.id, session = %part.session, attempt, template = part.template, "message sent");
        }
        (Settled::Refused(Verdict::TokenRefused), Some(_)) => {
            let sender = sender.map(SenderKey::to_string).unwrap_or_default();
            warn!(
                sender,
                code, "❌ Error: the provider refuses our token, and the sender stands still"
            );
        }
        (_, Some("failed")) => warn!(
            delivery = %part.id, session = %part.session, attempt, code,
            "❌ Error: a message was not delivered"
        ),
        (_, Some("held")) => warn!(
            delivery = %part.id, session = %part.session, code,
            "❌ Error: a message is held until the visitor writes again"
        ),
        (_, Some(status)) => warn!(
            delivery = %part.id, session = %part.session, attempt, code, status,
            "a message was not sent yet"
        ),
    }
}

#[cfg(test)]
mod tests {
    use bench::whatsapp::{FakeMeta, MetaAccount};
    use shared::config::Secret;
    use shared::ids::{Channel, SessionKey};
    use shared::whatsapp::{Address, MetaSender, Provider, Recipient, Senders};
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_worker_that_slept_over_its_claim_leaves_the_message_to_whoever_has_it_now() {
        let meta = FakeMeta::start(MetaAccount::sample()).await.unwrap();
        let secret = |text: &str| Secret::from(text.to_owned());
        let sender = MetaSender {
            phone_number_id: meta.account().phone_number_id.clone(),
            app_secret: secret("s"),
            verify_token: secret("v"),
            access_token: secret(&meta.account().access_token),
            base_url: meta.base_url(),
            api_version: "v23.0".into(),
            template: None,
        };
        let part = Claimed {
            id: Uuid::from_u128(1),
            session: SessionKey::derive(Channel::Whatsapp, "d", None),
            claim: OffsetDateTime::now_utc(),
            wait: Duration::ZERO,
            body: "Hello".into(),
            buttons: Vec::new(),
            answers: None,
            address: Some(Address {
                provider: Provider::Meta,
                sender: sender.phone_number_id.clone(),
                to: Recipient::Phone("+16505551234".into()),
            }),
            last_written_at: None,
            template: false,
            attempts: 1,
            resent: false,
            given_up: false,
            more: false,
        };
        let senders = Senders {
            meta: vec![sender],
            twilio: Vec::new(),
        };
        let settings = Settings::new(80, &senders);
        let answer = settings.rules.answer;
        let sending = Sending {
            providers: Arc::new(Providers::new(senders, Duration::from_secs(5)).unwrap()),
            settings: Arc::new(settings),
            // Nobody is there: what is asked about here happens before.
            db: PgPool::connect_lazy("postgres://127.0.0.1:1/none").unwrap(),
        };
        let over = CancellationToken::new();
        over.cancel();
        let long_ago = Instant::now()
            .checked_sub(answer)
            .expect("the machine runs for longer");
        send(&sending, &part, long_ago, &over).await;
        assert_eq!(meta.line().records.total(), 0);
        send(&sending, &part, Instant::now(), &over).await;
        assert_eq!(meta.line().records.total(), 1);
    }
}
