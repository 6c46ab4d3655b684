//! A real browser on the chat page and on the event stream. What a visitor does there is in `browser/*.mjs`.

use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::whatsapp::{MetaAccount, Simulator, TwilioAccount};
use e2e::Deployment;
use local::Guard;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr};

/// For a scenario as a whole, which gives up somewhat earlier and says why. Some take half of it where two others run beside them.
const PATIENCE: Duration = Duration::from_secs(120);

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");

/// Ends browsers even where the test process is killed: Node.js then closes the one that it has started.
static GUARD: LazyLock<Guard> = LazyLock::new(|| Guard::start(&[]).expect("there is a shell"));

/// A running scenario.
struct Scenario {
    node: Child,
    lines: Lines<BufReader<ChildStderr>>,
    said: String,
}

impl Scenario {
    /// Starts `browser/<name>.mjs` on the api at `base`.
    fn start(name: &str, base: &str) -> Result<Self> {
        let installed = Path::new(FOLDER).join("node_modules/playwright-core").exists();
        ensure!(
            installed,
            "the browser tests are not set up: run `make setup-browser`"
        );
        let mut command = GUARD.command()?;
        command
            .args(["node", &format!("{name}.mjs"), base])
            .current_dir(FOLDER)
            .stderr(Stdio::piped());
        let mut node = tokio::process::Command::from(command)
            .spawn()
            .context("node: run `make setup-browser`")?;
        let output = node.stderr.take().context("it has an output")?;
        Ok(Self {
            node,
            lines: BufReader::new(output).lines(),
            said: String::new(),
        })
    }

    /// Reads up to a line that contains `text`, or to the end where there is none.
    async fn read_to(&mut self, text: Option<&str>) -> Result<bool> {
        let reading = async {
            while let Some(line) = self.lines.next_line().await? {
                self.said.push_str(&line);
                self.said.push('\n');
                if text.is_some_and(|text| line.contains(text)) {
                    return anyhow::Ok(true);
                }
            }
            Ok(false)
        };
        let found = tokio::time::timeout(PATIENCE, reading).await;
        found.with_context(|| format!("not within {PATIENCE:?}:\n{}", self.said))?
    }

    /// Waits until it says `text`.
    async fn says(&mut self, text: &str) -> Result<()> {
        let found = self.read_to(Some(text)).await?;
        ensure!(found, "it ended without {text:?}:\n{}", self.said);
        Ok(())
    }

    /// Waits for its end, which must be a good one.
    async fn succeeds(mut self) -> Result<()> {
        self.read_to(None).await?;
        let status = self.node.wait().await?;
        ensure!(status.success(), "{status}:\n{}", self.said);
        Ok(())
    }
}

impl Drop for Scenario {
    /// Without Node.js at the other end of its pipe, Chromium ends, too.
    fn drop(&mut self) {
        if let Some(id) = self.node.id() {
            let _ = self.node.start_kill();
            GUARD.forget(id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_source_in_a_browser_shows_the_reply_of_a_post_made_just_before() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let _worker = deployment
        .worker_with(&[("OFFLINE_TOKEN_DELAY_MS", "15")])
        .await?;
    Scenario::start("event_source", &api.base)?.succeeds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_converses_on_the_chat_page() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let _worker = deployment
        .worker_with(&[("OFFLINE_TOKEN_DELAY_MS", "15")])
        .await?;
    Scenario::start("chat_page", &api.base)?.succeeds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_stops_replies_lets_messages_wait_and_erases_all_on_the_chat_page() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    // So slow that a reply is always caught in the middle.
    let _worker = deployment
        .worker_with(&[("OFFLINE_TOKEN_DELAY_MS", "1000"), ("TOKEN_INTERVAL", "0s")])
        .await?;
    Scenario::start("in_the_middle", &api.base)?.succeeds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_page_goes_on_where_its_connection_broke() -> Result<()> {
    let deployment = Deployment::new().await?;
    let mut api = deployment.api().await?;
    let _worker = deployment
        .worker_with(&[("OFFLINE_TOKEN_DELAY_MS", "60")])
        .await?;
    let mut scenario = Scenario::start("reconnect", &api.base)?;
    scenario.says("RESTART THE API").await?;
    api.process.kill();
    let address = api.base.trim_start_matches("http://");
    let _again = deployment.api_with(&[("API_BIND", address)]).await?;
    scenario.succeeds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_converses_on_the_simulated_phone() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (meta, twilio) = (MetaAccount::sample(), TwilioAccount::sample());
    let phone = Simulator::start("127.0.0.1:0".parse()?, meta.clone(), twilio).await?;
    let base = phone.base_url();
    let settings = [
        ("META_PHONE_NUMBER_ID", meta.phone_number_id.as_str()),
        ("META_APP_SECRET", &meta.app_secret),
        ("META_VERIFY_TOKEN", &meta.verify_token),
        ("META_ACCESS_TOKEN", &meta.access_token),
        ("META_BASE_URL", &base),
        ("WHATSAPP_QUIET", "200ms"),
    ];
    let api = deployment.api_with(&settings).await?;
    phone.webhooks_to(&api.base, &api.base);
    let _worker = deployment.worker_with(&settings).await?;
    Scenario::start("phone", &base)?.succeeds().await
}
