//! What the product adds to the first token of a model: both ways in turns, in one run.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::model::{FakeModel, Rule};
use clap::Parser;
use e2e::chaos::takeover::percentile;
use e2e::{Programs, Visitor};
use futures_util::StreamExt;
use local::{Guard, Options, Services};
use serde_json::json;

/// The reply; its first word tells that it is there.
const REPLY: &str = "Gladly, here is a sentence of a few words.";
const FIRST: &str = "Gladly,";

/// Asks a fake model directly and through api, queue and worker, and compares when its first token is there.
#[derive(Parser)]
struct Args {
    /// How often.
    #[arg(long, default_value_t = 200)]
    times: usize,
    /// Milliseconds before each token of the model.
    #[arg(long, default_value_t = 40)]
    pace_ms: u64,
    #[command(flatten)]
    programs: Programs,
}

/// One reading: when it was asked for, and when the first token was there.
struct Reading {
    asked: Instant,
    seen: Instant,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the times are what the command is for")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let programs = args.programs.folder()?;
    let model = FakeModel::start(vec![Rule::when("").says(REPLY).paced(args.pace_ms)]).await?;
    let services = Services::start(Options::throwaway()).await?;
    let guard = Guard::start(&[])?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let bind = format!("127.0.0.1:{port}");
    let _api = Running::start(&guard, &programs, "api", &services, &[("API_BIND", &bind)])?;
    let url = model.base_url();
    let settings = [
        ("LLM_BASE_URL", url.as_str()),
        ("LLM_API_KEY", "any"),
        ("LLM_MODEL", "fake"),
    ];
    let _worker = Running::start(&guard, &programs, "worker", &services, &settings)?;

    let visitor = Visitor::new(&format!("http://{bind}"));
    ready(&visitor).await?;
    // The first ones open connections.
    for _ in 0..10 {
        through(&visitor).await?;
        directly(&url).await?;
    }
    let before = model.requests().len();
    let mut readings = Vec::new();
    for _ in 0..args.times {
        readings.push((through(&visitor).await?, directly(&url).await?));
    }
    let written = model.requests().split_off(before);
    ensure!(written.len() == 2 * args.times, "some request came twice");

    let (mut token, mut whole) = (Vec::new(), Vec::new());
    let mut ways = (Vec::new(), Vec::new());
    for ((through, direct), written) in readings.iter().zip(written.chunks(2)) {
        let [Some(one), Some(other)] = [written[0].first_token, written[1].first_token] else {
            continue;
        };
        let (through_token, direct_token) = (through.seen - one, direct.seen - other);
        ways.0.push(through_token);
        ways.1.push(direct_token);
        token.push(through_token.saturating_sub(direct_token));
        whole.push((through.seen - through.asked).saturating_sub(direct.seen - direct.asked));
    }
    for times in [&mut token, &mut whole, &mut ways.0, &mut ways.1] {
        times.sort_unstable();
    }
    let line = |name: &str, times: &[Duration]| {
        let [median, high] = [50, 99].map(|percent| percentile(times, percent));
        println!("{name}: median {median:?}, 99th percentile {high:?}");
    };
    println!("{} readings each", token.len());
    line(
        "first token, from the model's writing it, through the product",
        &ways.0,
    );
    line("first token, from the model's writing it, directly", &ways.1);
    line("added to the first token on its way to the client", &token);
    line(
        "added in all, from the visitor's message on (queue, database, prompt)",
        &whole,
    );
    Ok(())
}

/// A process that ends with the value.
struct Running(Child);

impl Running {
    fn start(
        guard: &Guard,
        programs: &Path,
        program: &str,
        services: &Services,
        more: &[(&str, &str)],
    ) -> Result<Self> {
        let child = guard
            .command()?
            .arg(programs.join(program))
            .env("NATS_URL", services.nats_url())
            .env("DATABASE_URL", services.database_url())
            .envs(more.iter().copied())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{program} could not be started"))?;
        Ok(Self(child))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a message is answered.
async fn ready(visitor: &Visitor) -> Result<()> {
    let answered = async {
        while visitor.chat("Hello").await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(e2e::PATIENCE, answered)
        .await
        .context("the product does not answer")
}

async fn through(visitor: &Visitor) -> Result<Reading> {
    let asked = Instant::now();
    let mut stream = visitor.stream("Hello, is somebody there?").await?;
    loop {
        let event = stream.next().await?.context("the reply ended early")?;
        if event.data.content.starts_with(FIRST) {
            let seen = Instant::now();
            stream.all().await?;
            return Ok(Reading { asked, seen });
        }
    }
}

async fn directly(url: &str) -> Result<Reading> {
    thread_local! {
        static CLIENT: reqwest::Client = e2e::client::http();
    }
    let client = CLIENT.with(Clone::clone);
    let body = json!({"model": "fake", "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
    let asked = Instant::now();
    let response = client
        .post(format!("{url}/chat/completions"))
        .json(&body)
        .send()
        .await?;
    let mut bytes = response.bytes_stream();
    let mut seen = None;
    while let Some(chunk) = bytes.next().await {
        if seen.is_none() && String::from_utf8_lossy(&chunk?).contains(FIRST) {
            seen = Some(Instant::now());
        }
    }
    let seen = seen.context("no first token")?;
    Ok(Reading { asked, seen })
}
