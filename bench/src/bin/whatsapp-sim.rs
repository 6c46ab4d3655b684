//! WhatsApp for developers: both providers and a phone, without an account.
#![expect(
    clippy::print_stdout,
    reason = "addresses and results are what a developer needs"
)]

use std::net::SocketAddr;
use std::time::Duration;

use bench::whatsapp::load::{self, Load};
use bench::whatsapp::meta::Meta;
use bench::whatsapp::{MetaAccount, Simulator, TwilioAccount};
use clap::{Args, Parser, Subcommand};

/// Meta's Cloud API and Twilio as they are seen from a clinic, and at / a page that plays the customer's phone.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct Serve {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8012")]
    bind: SocketAddr,
    /// The api, whose webhooks are called.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    api: String,
    /// The address that the api has as PUBLIC_URL; without it, that of --api.
    #[arg(long)]
    public_url: Option<String>,
    #[command(flatten)]
    meta: MetaArgs,
    /// The account at Twilio; without a token, a new one is made and printed.
    #[arg(long, env = "TWILIO_AUTH_TOKEN", hide_env_values = true)]
    twilio_auth_token: Option<String>,
}

#[derive(Args)]
struct MetaArgs {
    /// The number's id.
    #[arg(long, env = "META_PHONE_NUMBER_ID")]
    phone_number_id: Option<String>,
    /// The app's secret; without one, a new one is made and printed.
    #[arg(long, env = "META_APP_SECRET", hide_env_values = true)]
    app_secret: Option<String>,
    /// The word of the handshake; likewise.
    #[arg(long, env = "META_VERIFY_TOKEN", hide_env_values = true)]
    verify_token: Option<String>,
    /// The bearer token; likewise.
    #[arg(long, env = "META_ACCESS_TOKEN", hide_env_values = true)]
    access_token: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Send signed webhooks at a steady rate, and print how fast they were answered
    Load(LoadArgs),
}

#[derive(Args)]
struct LoadArgs {
    /// Webhooks a second.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// For how long.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Customers who write, in turn.
    #[arg(long, default_value_t = 1_000)]
    customers: u32,
    /// Messages in each webhook.
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Where webhooks go.
    #[arg(long, default_value = "http://127.0.0.1:8000/webhooks/whatsapp")]
    webhook: String,
    #[command(flatten)]
    meta: MetaArgs,
}

impl MetaArgs {
    fn account(self) -> MetaAccount {
        let random = MetaAccount::random();
        MetaAccount {
            phone_number_id: self.phone_number_id.unwrap_or(random.phone_number_id),
            app_secret: self.app_secret.unwrap_or(random.app_secret),
            verify_token: self.verify_token.unwrap_or(random.verify_token),
            access_token: self.access_token.unwrap_or(random.access_token),
            ..random
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Load(args)) => measure(args).await,
        None => serve(cli.serve).await,
    }
}

async fn measure(args: LoadArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.meta.app_secret.is_some(),
        "META_APP_SECRET (or --app-secret) is what the api has; without it no webhook is taken"
    );
    let meta = Meta::new(args.meta.account(), 1);
    meta.line().webhook_to(&args.webhook);
    let load = Load {
        rate: args.rate,
        length: Duration::from_secs(args.seconds),
        customers: args.customers,
        batch: args.batch,
    };
    println!("{}", load::run(&meta, load).await);
    Ok(())
}

async fn serve(args: Serve) -> anyhow::Result<()> {
    let twilio = TwilioAccount::random();
    let twilio = TwilioAccount {
        auth_token: args.twilio_auth_token.unwrap_or(twilio.auth_token),
        ..twilio
    };
    let mut simulator = Simulator::start(args.bind, args.meta.account(), twilio).await?;
    let api = args.api.trim_end_matches('/');
    let public = args.public_url.as_deref().unwrap_or(api).trim_end_matches('/');
    simulator.webhooks_to(api, public);
    for (name, value) in simulator.settings() {
        println!("{name}={value}");
    }
    println!("PUBLIC_URL={public}");
    eprintln!(
        "The phone: {}/ (the lines above are the settings of the api and the workers)",
        simulator.base_url()
    );
    simulator.ended().await;
    Ok(())
}
