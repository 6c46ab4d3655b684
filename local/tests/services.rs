//! `local services` from outside: it starts, is found again, says when it runs already, and leaves nothing behind.

mod process;

use anyhow::Result;
use local::{Options, Services, testing};
use process::{Local, alive};
use rustix::process::{Signal, kill_process};
use sqlx::{Connection, Executor, PgConnection};

#[tokio::test]
async fn a_second_start_finds_the_data_again() -> Result<()> {
    let folder = process::Folder::new("again")?;
    let first = Local::services(&folder)?;
    let mut connection = PgConnection::connect(&first.database_url).await?;
    connection
        .execute("create table kept (word text); insert into kept values ('here')")
        .await?;
    let jetstream = async_nats::jetstream::new(async_nats::connect(&first.nats_url).await?);
    jetstream.create_stream(process::stream("KEPT")).await?;
    jetstream.publish("kept.word", "here".into()).await?.await?;
    let servers = first.servers()?;
    assert!(first.terminate()?.success(), "SIGTERM is an orderly end");
    assert!(!servers.iter().any(|pid| alive(*pid)), "it waits for its servers");

    let second = Local::services(&folder)?;
    let mut connection = PgConnection::connect(&second.database_url).await?;
    let word: String = sqlx::query_scalar("select word from kept")
        .fetch_one(&mut connection)
        .await?;
    assert_eq!(word, "here");
    let jetstream = async_nats::jetstream::new(async_nats::connect(&second.nats_url).await?);
    assert_eq!(
        jetstream
            .get_stream("KEPT")
            .await?
            .get_info()
            .await?
            .state
            .messages,
        1
    );
    Ok(())
}

#[tokio::test]
async fn after_a_kill_9_no_server_is_left_and_the_next_start_works() -> Result<()> {
    let folder = process::Folder::new("killed")?;
    let killed = Local::services(&folder)?;
    let servers = killed.servers()?;
    assert_eq!(servers.len(), 2);
    assert!(servers.iter().all(|pid| alive(*pid)));
    let database_url = killed.database_url.clone();
    killed.kill()?;
    // At once, while the guard is still stopping the first pair.
    let next = Local::services(&folder)?;
    assert!(
        !servers.iter().any(|pid| alive(*pid)),
        "two servers never share the data"
    );
    assert_eq!(
        next.database_url, database_url,
        "workers that were started by hand find it again"
    );
    let servers = next.servers()?;
    next.kill()?;
    process::eventually("no server is left behind", async || {
        !servers.iter().any(|pid| alive(*pid))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_server_that_crashes_is_started_again_on_its_port() -> Result<()> {
    let folder = process::Folder::new("crash")?;
    let running = Local::services(&folder)?;
    let before = running.servers()?;
    for server in &before {
        kill_process(*server, Signal::KILL)?;
    }
    process::eventually("they answer again", async || {
        PgConnection::connect(&running.database_url).await.is_ok()
            && async_nats::connect(&running.nats_url).await.is_ok()
            && running
                .servers()
                .is_ok_and(|now| now.iter().all(|pid| alive(*pid) && !before.contains(pid)))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_second_start_in_the_same_folder_says_where_the_first_runs() -> Result<()> {
    let folder = process::Folder::new("twice")?;
    let first = Local::services(&folder)?;
    let error = Local::services(&folder)
        .err()
        .expect("only one at a time")
        .to_string();
    assert!(error.contains("already running"), "{error}");
    assert!(
        error.contains(&first.nats_url) && error.contains(&first.database_url),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_setting() -> Result<()> {
    let folder = process::Folder::new("port")?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let error = Local::with(&folder, &[("LOCAL_NATS_PORT", &port)])
        .err()
        .expect("taken")
        .to_string();
    assert!(
        error.contains(&port) && error.contains("LOCAL_NATS_PORT"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_server_comes_back_on_the_same_port_with_the_same_data_after_a_stop_and_a_kill() -> Result<()> {
    let services = Services::start(Options::throwaway()).await?;
    let folder = services.dir().to_owned();
    let mut connection = PgConnection::connect(services.database_url()).await?;
    connection.execute("create table kept (number int)").await?;
    for number in 1..=2_i64 {
        connection.execute("insert into kept values (1)").await?;
        if number == 1 {
            services.postgres().stop().await?;
        } else {
            services.postgres().kill().await?;
        }
        assert!(
            PgConnection::connect(services.database_url()).await.is_err(),
            "it is away"
        );
        services.postgres().start().await?;
        connection = PgConnection::connect(services.database_url()).await?;
        let count: i64 = sqlx::query_scalar("select count(*) from kept")
            .fetch_one(&mut connection)
            .await?;
        assert_eq!(count, number);
    }
    services.nats().kill().await?;
    assert!(
        async_nats::connect(services.nats_url()).await.is_err(),
        "it is away"
    );
    services.nats().start().await?;
    async_nats::connect(services.nats_url()).await?;
    services.stop().await?;
    assert!(!folder.exists(), "throw-away data is removed");
    Ok(())
}

#[tokio::test]
async fn tests_share_servers_and_no_database() -> Result<()> {
    let (one, two) = tokio::try_join!(testing::database(), testing::database())?;
    assert_ne!(one, two);
    PgConnection::connect(&one)
        .await?
        .execute("create table mine ()")
        .await?;
    PgConnection::connect(&two)
        .await?
        .execute("create table mine ()")
        .await?;
    assert_ne!(testing::prefix(), testing::prefix());
    Ok(())
}
