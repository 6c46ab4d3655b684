//! Three NATS servers as one cluster on this machine, for tests that stop one of them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::guard::Guard;
use crate::server::Server;
use crate::{nats, port};

/// Nodes: the fewest that can lose one.
const NODES: usize = 3;

/// A running cluster. It ends when this value is dropped, at the latest with this process.
#[derive(Debug)]
pub struct NatsCluster {
    nodes: Vec<Server>,
}

impl NatsCluster {
    /// Starts the nodes, and returns when each of them answers, so when they have found each other. `dir` keeps their data
    /// and logs, and is removed at the end.
    ///
    /// # Errors
    /// A program is missing, or a node does not start (the message has the end of its log).
    pub async fn start(dir: &Path) -> Result<Self> {
        let in_dir = || format!("could not make {}", dir.display());
        fs::create_dir_all(dir).with_context(in_dir)?;
        let dir = dir.canonicalize().with_context(in_dir)?;
        let guard = Arc::new(Guard::start(std::slice::from_ref(&dir))?);
        let mut ports = Vec::new();
        for _ in 0..NODES {
            ports.push((port::choose(0, None, "")?, port::choose(0, None, "")?));
        }
        let routes: Vec<String> = ports.iter().map(|(_, route)| nats::url(*route)).collect();
        let mut nodes = Vec::new();
        for (index, (port, route)) in ports.into_iter().enumerate() {
            let name = format!("node-{}", index + 1);
            let mut launch = nats::launch(&dir.join(&name), port, dir.join(format!("{name}.log")))?;
            // Clients know only the addresses that they were given: a test puts proxies there.
            let more = ["--no_advertise", "--name", &name, "--cluster_name", "frontdesk"];
            launch.args.extend(more.map(str::to_owned));
            launch.args.extend(["--cluster".to_owned(), nats::url(route)]);
            launch.args.extend(["--routes".to_owned(), routes.join(",")]);
            nodes.push(Server::new(launch, Arc::clone(&guard)));
        }
        let [first, second, third] = &nodes[..] else {
            unreachable!("NODES says how many there are")
        };
        tokio::try_join!(first.start(), second.start(), third.start())?;
        Ok(Self { nodes })
    }

    /// The servers, to stop and start them.
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }
}
