//! Fetching what strangers link to: public addresses only, over http(s), bounded in size and time.
//!
//! An address is judged where it is connected to: names in the resolver, whose answer is what the connection uses, and literal
//! addresses before each request, redirects included. There is no proxy that could resolve them again.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Url, dns, redirect};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// For one file, redirects included.
const DEADLINE: Duration = Duration::from_secs(15);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How much memory the files of all turns may take at once, in MiB; further ones wait.
const ROOM: usize = 256;
pub(crate) const MIB: usize = 1 << 20;
const MAX_REDIRECTS: usize = 3;

/// Whether an address may be connected to.
type Allowed = fn(IpAddr) -> bool;

/// Fetches files.
#[derive(Clone)]
pub(crate) struct Fetcher {
    http: reqwest::Client,
    allowed: Allowed,
    room: Arc<Semaphore>,
    /// For one file, redirects included.
    deadline: Duration,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}

/// A file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its type, without parameters, in lower case.
    pub(crate) kind: String,
    pub(crate) bytes: Vec<u8>,
    /// To be kept for as long as the bytes, in whatever form.
    pub(crate) room: OwnedSemaphorePermit,
}

/// Why a file was not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfetched {
    /// Its address is none that strangers may name.
    Forbidden,
    /// Not there, or not in time.
    Unavailable,
    /// More bytes than we take.
    TooLarge,
    /// Another type than was expected.
    WrongType,
}

impl Fetcher {
    /// A fetcher for public addresses.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Self::with(is_public)
    }

    /// One for other addresses; tests have their servers on this machine.
    pub(crate) fn with(allowed: Allowed) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(crate::USER_AGENT)
            .connect_timeout(CONNECT_DEADLINE)
            .read_timeout(CONNECT_DEADLINE)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .dns_resolver(Arc::new(Resolver { allowed }))
            .build()
            .context("the client for attachments")?;
        let room = Arc::new(Semaphore::new(ROOM));
        Ok(Self {
            http,
            allowed,
            room,
            deadline: DEADLINE,
        })
    }

    /// Fetches `address`, whose type has to begin with one of `kinds`, and which may have `max` MiB.
    ///
    /// # Errors
    /// See [`Unfetched`].
    pub(crate) async fn fetch(&self, address: &str, kinds: &[&str], max: u32) -> Result<File, Unfetched> {
        timeout(self.deadline, self.follow(address, kinds, max))
            .await
            .map_err(|_| Unfetched::Unavailable)?
    }

    /// Room for a file of `max` MiB, once there is some.
    ///
    /// # Errors
    /// Never: the room is not closed.
    pub(crate) async fn room(&self, max: u32) -> Result<OwnedSemaphorePermit, Unfetched> {
        let room = self.room.clone().acquire_many_owned(max).await;
        room.map_err(|_| Unfetched::Unavailable)
    }

    async fn follow(&self, address: &str, kinds: &[&str], max: u32) -> Result<File, Unfetched> {
        let mut url = Url::parse(address).map_err(|_| Unfetched::Forbidden)?;
        self.check(&url)?;
        let mut room = self.room(max).await?;
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            let response = self.http.get(url.clone()).send().await.map_err(|error| {
                // The resolver's refusal is the only error of that kind that we make.
                match forbidden_within(&error) {
                    true => Unfetched::Forbidden,
                    false => Unfetched::Unavailable,
                }
            })?;
            if response.status().is_redirection() {
                let next = response
                    .headers()
                    .get(LOCATION)
                    .and_then(|next| next.to_str().ok());
                url = next
                    .and_then(|next| url.join(next).ok())
                    .ok_or(Unfetched::Unavailable)?;
                continue;
            }
            if response.status() != reqwest::StatusCode::OK {
                return Err(Unfetched::Unavailable);
            }
            let kind = response
                .headers()
                .get(CONTENT_TYPE)
                .and_then(|kind| kind.to_str().ok())
                .and_then(|kind| kind.split(';').next())
                .map(|kind| kind.trim().to_lowercase())
                .unwrap_or_default();
            if !kinds.iter().any(|expected| kind.starts_with(expected)) {
                return Err(Unfetched::WrongType);
            }
            let mut bytes = Vec::new();
            let mut stream = response.bytes_stream();
            while let Some(chunk) = stream.next().await {
                bytes.extend_from_slice(&chunk.map_err(|_| Unfetched::Unavailable)?);
                if bytes.len() > max as usize * MIB {
                    return Err(Unfetched::TooLarge);
                }
            }
            drop(room.split(max as usize - bytes.len().div_ceil(MIB)));
            return Ok(File { kind, bytes, room });
        }
        Err(Unfetched::Unavailable)
    }

    /// What can be judged before a name is resolved.
    fn check(&self, url: &Url) -> Result<(), Unfetched> {
        let host = url.host_str().unwrap_or_default();
        let literal = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        let plain = matches!(url.scheme(), "http" | "https")
            && !host.is_empty()
            && url.username().is_empty()
            && url.password().is_none();
        match literal {
            Ok(address) if !(self.allowed)(address) => Err(Unfetched::Forbidden),
            _ if !plain => Err(Unfetched::Forbidden),
            _ => Ok(()),
        }
    }
}

/// Resolves names to allowed addresses only.
struct Resolver {
    allowed: Allowed,
}

/// A name that leads to no allowed address.
#[derive(Debug, thiserror::Error)]
#[error("no public address")]
struct NoPublicAddress;

impl dns::Resolve for Resolver {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let allowed = self.allowed;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| allowed(address.ip())).collect();
            if public.is_empty() {
                return Err(NoPublicAddress.into());
            }
            let addresses: dns::Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

fn forbidden_within(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NoPublicAddress>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether an address is one of the public internet (IANA's registries of special-purpose addresses).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        // 169.254.169.254, where clouds keep their metadata, is one of these.
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let low = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Addresses that stand for one of IPv4: mapped, NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] | [0x2002, a, b, ..] => low(a, b),
        // Teredo, ORCHID and their kind; documentation.
        [0x2001, 0..0x200, ..] | [0x2001, 0xdb8, ..] => false,
        [0x3fff, 0..0x1000, ..] => false,
        // What is given out to the public.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "100::1",
            "3fff::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn no_way_of_writing_it_leads_to_an_address_of_ours() {
        shared::tls::install();
        let fetcher = Fetcher::new().unwrap();
        for address in [
            "http://127.0.0.1/a.png",
            "http://localhost/a.png",
            "http://[::1]/a.png",
            "http://[::ffff:127.0.0.1]/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://017700000001/",
            "http://127.1/",
            "http://0/",
            "http://127.0.0.1./",
            "http://１２７.０.０.１/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://169.254.169.254/latest/meta-data/",
            "https://10.0.0.1/",
            "file:///etc/passwd",
            "ftp://8.8.8.8/",
            "gopher://127.0.0.1/",
            "http://user:pass@8.8.8.8/",
            "data:image/png;base64,AA==",
            "http://",
            "nonsense",
        ] {
            let result = fetcher.fetch(address, &["image/"], 5).await;
            assert_eq!(result.err(), Some(Unfetched::Forbidden), "{address}");
        }
    }

    #[tokio::test]
    async fn redirects_sizes_and_types_are_checked() {
        shared::tls::install();
        let server = bench::model::FakeModel::start(Vec::new()).await.unwrap();
        let at = |path: &str| format!("{}/files/{path}", server.base_url().trim_end_matches("/v1"));
        // As if this machine were the public internet, but for one of its addresses.
        let fetcher = Fetcher::with(|address| address == IpAddr::from([127, 0, 0, 1])).unwrap();
        let image = ["image/"];
        let file = fetcher.fetch(&at("a.png"), &image, 5).await.unwrap();
        assert_eq!(file.kind, "image/png");
        assert_eq!(fetcher.room.available_permits(), ROOM - 1, "a file takes up room");
        drop(file);
        let error = async |path: &str| fetcher.fetch(&at(path), &image, 5).await.err();
        assert_eq!(error("a.ogg").await, Some(Unfetched::WrongType));
        assert_eq!(error("missing").await, Some(Unfetched::Unavailable));
        assert_eq!(error("endless.png").await, Some(Unfetched::TooLarge));
        assert_eq!(error("loop").await, Some(Unfetched::Unavailable));
        assert_eq!(error("to-metadata").await, Some(Unfetched::Forbidden));
        assert_eq!(error("to-loopback").await, Some(Unfetched::Forbidden));
        assert_eq!(error("to-credentials").await, Some(Unfetched::Forbidden));
        assert_eq!(error("to-disk").await, Some(Unfetched::Forbidden));
        assert!(fetcher.fetch(&at("to-a.png"), &image, 5).await.is_ok());
        assert_eq!(fetcher.room.available_permits(), ROOM, "and leaves it");
    }

    #[tokio::test]
    async fn a_file_that_trickles_is_given_up() {
        shared::tls::install();
        let server = bench::model::FakeModel::start(Vec::new()).await.unwrap();
        let address = format!("{}/files/slow.png", server.base_url().trim_end_matches("/v1"));
        let fetcher = Fetcher {
            deadline: Duration::from_millis(300),
            ..Fetcher::with(|address| address.is_loopback()).unwrap()
        };
        let fetched = timeout(Duration::from_secs(10), fetcher.fetch(&address, &["image/"], 5)).await;
        let error = fetched.expect("it has no end of its own").err();
        assert_eq!(error, Some(Unfetched::Unavailable));
        assert_eq!(fetcher.room.available_permits(), ROOM);
    }
}
