//! Sessions expire and start anew; their messages stay.

use anyhow::Result;
use e2e::{Deployment, eventually, store};

/// Makes all sessions so old that they begin anew.
async fn expire(deployment: &Deployment) -> Result<()> {
    let age = "update conversation_states set locked_at = now() - make_interval(secs => session_ttl + 1)";
    sqlx::query(age).execute(&deployment.db).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_starts_anew_and_keeps_its_messages() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let visitor = api.visitor();
    visitor.chat("My name is John Doe").await?;
    visitor.chat("yes").await?;
    expire(&deployment).await?;
    let anew = visitor.chat("Hello").await?;
    assert!(
        anew["content"].as_str().unwrap().contains("Anna"),
        "the first reply of a session introduces her: {anew}"
    );
    assert_eq!(store::requests(&deployment.db, visitor.session()).await.len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_whose_session_has_expired_is_greeted_in_the_language_they_wrote_in() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let visitor = api.visitor();
    // A hand says nothing about a language.
    let greeted_anew = async || -> Result<String> {
        expire(&deployment).await?;
        let reply = visitor.chat("👋").await?;
        Ok(reply["content"].as_str().unwrap_or_default().to_owned())
    };
    visitor.chat("Merhaba, randevu almak istiyorum").await?;
    let turkish = greeted_anew().await?;
    assert!(turkish.starts_with("Merhaba! Ben Anna"), "{turkish}");
    visitor
        .chat("Ich verstehe kein Türkisch, bitte auf Deutsch")
        .await?;
    let german = greeted_anew().await?;
    assert!(german.starts_with("Guten Tag! Ich bin Anna"), "{german}");
    let erased = visitor.request(reqwest::Method::DELETE, "/chat/history");
    assert_eq!(erased.send().await?.status(), 204);
    let unknown = greeted_anew().await?;
    assert!(unknown.starts_with("Hello! I'm Anna"), "{unknown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_session_gets_the_setting_and_its_own_value_wins_later() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (
        deployment.api().await?,
        deployment.worker_with(&[("SESSION_TTL", "3600")]).await?,
    );
    let visitor = api.visitor();
    visitor.chat("Hello").await?;
    assert_eq!(
        store::count(
            &deployment.db,
            "select session_ttl::bigint from conversation_states"
        )
        .await,
        3600
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cleanup_clears_what_has_expired_and_says_how_many() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, worker) = (deployment.api().await?, deployment.worker().await?);
    for _ in 0..3 {
        api.visitor().chat("Hello").await?;
    }
    let age = "update conversation_states set locked_at = now() - interval '2 days'
        where connection_id in (select connection_id from conversation_states limit 2)";
    sqlx::query(age).execute(&deployment.db).await?;
    drop(worker);
    for (run, expected) in [
        (1, "Cleaned up 2 expired sessions"),
        (2, "Cleaned up 0 expired sessions"),
    ] {
        let mut cleanup = deployment.command("worker", &["cleanup"]).await?;
        assert!(cleanup.ended().await.success(), "run {run}");
        assert!(cleanup.log().contains(expected), "run {run}: {}", cleanup.log());
    }
    assert_eq!(
        store::count(
            &deployment.db,
            "select count(*) from conversation_states where active_agent is null"
        )
        .await,
        2
    );
    assert_eq!(
        store::count(&deployment.db, "select count(*) from messages").await,
        6
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_janitor_clears_by_itself() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let mut worker = deployment
        .worker_with(&[("CLEANUP_INTERVAL", "1s"), ("SESSION_TTL", "1s")])
        .await?;
    api.visitor().chat("Hello").await?;
    worker.logged("Cleaned up 1 expired sessions").await;
    eventually("the state is cleared", async || {
        let cleared = "select count(*) from conversation_states where active_agent is null and state = '{}'";
        (store::count(&deployment.db, cleared).await == 1).then_some(())
    })
    .await;
    Ok(())
}
