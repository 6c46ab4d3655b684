//! A deployment that is on WhatsApp, through both providers, which are played.

use anyhow::Result;
use bench::whatsapp::{FakeMeta, FakeTwilio, Line, MetaAccount, Statuses, TwilioAccount};
use shared::config::CommonArgs;

use crate::deployment::{Api, Deployment};
use crate::process::Process;

/// What the api is called outside; Twilio signs for it.
const PUBLIC_URL: &str = "https://clinic.example";

/// A deployment with a number of each provider.
pub struct OnWhatsApp {
    /// Database and queue.
    pub deployment: Deployment,
    /// Meta; it tells of each message that it was delivered.
    pub meta: FakeMeta,
    /// Twilio; it does so, too.
    pub twilio: FakeTwilio,
    env: Vec<(&'static str, String)>,
}

impl OnWhatsApp {
    /// One whose programs have these settings besides.
    ///
    /// # Errors
    /// The servers cannot be started.
    pub async fn new(more: &[(&'static str, &str)]) -> Result<Self> {
        Self::of(Deployment::new().await?, more).await
    }

    /// One of this deployment.
    ///
    /// # Errors
    /// The servers cannot be started.
    pub async fn of(deployment: Deployment, more: &[(&'static str, &str)]) -> Result<Self> {
        let meta = FakeMeta::start(MetaAccount::sample()).await?;
        let twilio = FakeTwilio::start(TwilioAccount::sample()).await?;
        for line in [meta.line(), twilio.line()] {
            line.set_statuses(Statuses::delivered());
        }
        let (m, t) = (meta.account().clone(), twilio.account().clone());
        let mut env = vec![
            ("META_PHONE_NUMBER_ID", m.phone_number_id),
            ("META_APP_SECRET", m.app_secret),
            ("META_VERIFY_TOKEN", m.verify_token),
            ("META_ACCESS_TOKEN", m.access_token),
            ("META_BASE_URL", meta.base_url()),
            ("TWILIO_ACCOUNT_SID", t.account_sid),
            ("TWILIO_AUTH_TOKEN", t.auth_token),
            ("TWILIO_FROM", t.from),
            ("TWILIO_BASE_URL", twilio.base_url()),
            ("PUBLIC_URL", PUBLIC_URL.to_owned()),
            ("WHATSAPP_QUIET", "200ms".to_owned()),
        ];
        env.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        env.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Ok(Self {
            deployment,
            meta,
            twilio,
            env,
        })
    }

    /// The settings that all its programs share, as they would read them.
    pub fn settings(&self) -> CommonArgs {
        self.deployment.settings_with(&self.env())
    }

    /// Starts an api, which both providers write to from now on.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn api(&self) -> Result<Api> {
        let api = self.deployment.api_with(&self.env()).await?;
        self.write_to(&api);
        Ok(api)
    }

    /// Has the providers write to this api.
    pub fn write_to(&self, api: &Api) {
        let lines: [(&Line, &str); 2] = [(self.meta.line(), "whatsapp"), (self.twilio.line(), "twilio")];
        for (line, path) in lines {
            line.webhook_through(
                &format!("{}/webhooks/{path}", api.base),
                &format!("{PUBLIC_URL}/webhooks/{path}"),
            );
        }
    }

    /// Starts a worker.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn worker(&self) -> Result<Process> {
        self.worker_with(&[]).await
    }

    /// [`Self::worker`] with further settings.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn worker_with(&self, more: &[(&'static str, &str)]) -> Result<Process> {
        self.deployment.worker_with(&[&self.env(), more].concat()).await
    }

    fn env(&self) -> Vec<(&'static str, &str)> {
        self.env
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect()
    }
}
