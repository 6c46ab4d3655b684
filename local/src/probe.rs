//! Is a server ready? Asked the way its clients do, since an open port says too little.

use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::{ConnectOptions, Connection};

/// How to ask.
#[derive(Debug)]
pub(crate) enum Probe {
    /// Signs in and closes the connection.
    Postgres(Box<sqlx::postgres::PgConnectOptions>),
    /// Asks JetStream for its account, on the server at this URL.
    Nats(String),
}

impl Probe {
    /// One try.
    pub(crate) async fn check(&self) -> Result<()> {
        tokio::time::timeout(Duration::from_secs(5), self.ask())
            .await
            .context("no answer within 5 s")?
    }

    async fn ask(&self) -> Result<()> {
        match self {
            Self::Postgres(options) => options.connect().await?.close().await?,
            Self::Nats(url) => {
                let client = async_nats::ConnectOptions::new().connect(url).await?;
                let jetstream = async_nats::jetstream::new(client);
                jetstream.query_account().await?;
            }
        }
        Ok(())
    }
}
