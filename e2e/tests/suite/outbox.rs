//! An outbox of a test's own: simulated providers, workers that do nothing but deliver, and replies put in by hand.

use std::time::Duration;

use anyhow::Result;
use bench::whatsapp::{FakeMeta, FakeTwilio, MetaAccount, TwilioAccount};
use e2e::{Deployment, eventually};
use serde_json::json;
use shared::config::Secret;
use shared::ids::user_id;
use shared::nats::Nats;
use shared::retry::Policy;
use shared::whatsapp::{
    Address, DeliveryState, MetaSender, Provider, Recipient, Senders, Status, TwilioSender,
};
use sqlx::{PgPool, Row};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use worker::deliver::{Deliveries, Settings};

/// Short where the real one is long; long where the tests wait for something else.
const SOON: Duration = Duration::from_millis(300);

/// Both providers and the tables between us and them.
pub struct Outbox {
    pub deployment: Deployment,
    pub nats: Nats,
    pub meta: FakeMeta,
    pub twilio: FakeTwilio,
    pub senders: Senders,
    pub settings: Settings,
}

/// A worker that delivers; it ends as if killed with the value.
pub struct Worker {
    pub deliveries: Deliveries,
    pub soft: CancellationToken,
    hard: CancellationToken,
    pub tasks: TaskTracker,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.soft.cancel();
        self.hard.cancel();
    }
}

/// What is stored of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub status: String,
    pub error: Option<String>,
    pub attempts: i32,
    pub resends: i32,
    pub provider_id: Option<String>,
}

impl Outbox {
    pub async fn new() -> Result<Self> {
        let deployment = Deployment::new().await?;
        let nats = deployment.nats().await?;
        let meta = FakeMeta::start(MetaAccount::random()).await?;
        let twilio = FakeTwilio::start(TwilioAccount::random()).await?;
        let (at_meta, at_twilio) = (meta.account(), twilio.account());
        let senders = Senders {
            meta: vec![MetaSender {
                phone_number_id: at_meta.phone_number_id.clone(),
                app_secret: Secret::from(at_meta.app_secret.clone()),
                verify_token: Secret::from(at_meta.verify_token.clone()),
                access_token: Secret::from(at_meta.access_token.clone()),
                base_url: meta.base_url(),
                api_version: "v23.0".into(),
                template: None,
            }],
            twilio: vec![TwilioSender {
                from: at_twilio.from.clone(),
                account_sid: at_twilio.account_sid.clone(),
                auth_token: Secret::from(at_twilio.auth_token.clone()),
                base_url: twilio.base_url(),
                public_url: "https://clinic.example".into(),
            }],
        };
        let mut settings = Settings::new(1_000, &senders);
        settings.backoff = Policy {
            first: Duration::from_millis(50),
            longest: Duration::from_millis(100),
            give_up_after: None,
        };
        settings.round = Duration::from_millis(20);
        settings.rules.answer = Duration::from_secs(60);
        settings.rules.pair_every = Duration::from_millis(1);
        settings.rules.probe = SOON;
        settings.rules.slow = Duration::from_millis(50);
        Ok(Self {
            deployment,
            nats,
            meta,
            twilio,
            senders,
            settings,
        })
    }

    pub fn db(&self) -> &PgPool {
        &self.deployment.db
    }

    /// Starts a worker.
    pub fn worker(&self) -> Worker {
        shared::tls::install();
        let deliveries =
            Deliveries::with_deadline(self.senders.clone(), Duration::from_secs(5)).expect("a client");
        let (soft, hard, tasks) = (
            CancellationToken::new(),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        let settings = self.settings.clone();
        deliveries.run(settings, self.db(), &self.nats, &tasks, (&soft, &hard));
        Worker {
            deliveries,
            soft,
            hard,
            tasks,
        }
    }

    /// Somebody who writes to our number at `provider`.
    pub fn address(&self, provider: Provider, phone: &str) -> Address {
        let keys: Vec<_> = self.senders.keys().collect();
        let key = keys
            .into_iter()
            .find(|key| key.provider == provider)
            .expect("one of each");
        Address {
            provider,
            sender: key.sender,
            to: Recipient::read(phone).expect("a number"),
        }
    }

    /// Puts a reply of several parts in.
    pub async fn put(&self, address: &Address, parts: &[&str]) -> Result<Vec<Uuid>> {
        let (connection, phone) = (address.session().connection_id(), address.to.phone_number());
        let (user, message) = (user_id(&phone, false), Uuid::now_v7());
        let mut transaction = self.db().begin().await?;
        sqlx::query("insert into users (id, phone_number) values ($1, $2) on conflict do nothing")
            .bind(user)
            .bind(&phone)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "insert into connections (id, user_id, channel, device_id, address, last_written_at)
            values ($1, $2, 'whatsapp', $3, $4, now()) on conflict do nothing",
        )
        .bind(connection)
        .bind(user)
        .bind(address.device())
        .bind(json!(address))
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "insert into messages (id, user_id, connection_id, direction, body, status, number)
            values ($1, $2, $3, 'outgoing', 'a reply', 'complete', 1)",
        )
        .bind(message)
        .bind(user)
        .bind(connection)
        .execute(&mut *transaction)
        .await?;
        let mut ids = Vec::new();
        for (part, body) in (0i32..).zip(parts) {
            ids.push(Uuid::now_v7());
            sqlx::query("insert into deliveries (id, message_id, connection_id, part, body) values ($1, $2, $3, $4, $5)")
                .bind(ids.last())
                .bind(message)
                .bind(connection)
                .bind(part)
                .bind(body)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(ids)
    }

    pub async fn part(&self, id: Uuid) -> Part {
        let row =
            sqlx::query("select status, error, attempts, resends, provider_id from deliveries where id = $1")
                .bind(id)
                .fetch_one(self.db())
                .await
                .expect("the part is there");
        Part {
            status: row.get(0),
            error: row.get(1),
            attempts: row.get(2),
            resends: row.get(3),
            provider_id: row.get(4),
        }
    }

    /// Waits until the part has this status.
    pub async fn becomes(&self, id: Uuid, status: &str) -> Part {
        eventually(&format!("the part is {status}"), async || {
            let part = self.part(id).await;
            (part.status == status).then_some(part)
        })
        .await
    }

    /// Waits until nothing is on its way any more.
    pub async fn empty(&self) {
        eventually("the outbox is empty", async || {
            let left: i64 = sqlx::query_scalar(
                "select count(*) from deliveries where status in ('queued', 'sending', 'uncertain')",
            )
            .fetch_one(self.db())
            .await
            .ok()?;
            (left == 0).then_some(())
        })
        .await;
    }

    /// Says what a provider says of a message, as the api does when the webhook comes.
    pub async fn tell(
        &self,
        delivery: Option<Uuid>,
        provider: Provider,
        provider_id: &str,
        state: DeliveryState,
        code: Option<i64>,
    ) -> Result<()> {
        let status = Status {
            provider,
            provider_id: provider_id.into(),
            delivery,
            state,
            code,
            at: OffsetDateTime::now_utc(),
        };
        let subject = self.nats.subjects.status(provider);
        let payload = serde_json::to_vec(&status)?.into();
        self.nats.jetstream.publish(subject, payload).await?.await?;
        Ok(())
    }

    /// Waits until all that was told has been applied.
    pub async fn all_told(&self) {
        eventually("all statuses are applied", async || {
            let mut stream = self
                .nats
                .jetstream
                .get_stream(self.nats.subjects.status_stream())
                .await
                .ok()?;
            (stream.info().await.ok()?.state.messages == 0).then_some(())
        })
        .await;
    }
}
