//! Free ports on 127.0.0.1.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};

/// Below the ports that the kernel gives to outgoing connections (Linux from 32768, macOS from 49152). From
/// among those, a client that retries while its server is down could come by the server's own port.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

static FIRST: OnceLock<u16> = OnceLock::new();
static HANDED_OUT: AtomicUsize = AtomicUsize::new(0);

/// Whether a server could listen there now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// `wanted` if it is not 0, else `last` if that one is free, else any free one.
///
/// # Errors
/// `wanted` is taken; the message names `setting`.
pub(crate) fn choose(wanted: u16, last: Option<u16>, setting: &str) -> Result<u16> {
    if wanted != 0 {
        let taken = || format!("port {wanted} is taken by another program; choose another with {setting}");
        return is_free(wanted).then_some(wanted).with_context(taken);
    }
    if let Some(last) = last.filter(|port| is_free(*port)) {
        return Ok(last);
    }
    // One after the other, so that servers that start at the same time in one process never choose the same.
    let first = *FIRST.get_or_init(|| rand::random_range(RANGE));
    let mut tries = std::iter::repeat_with(|| {
        let offset = usize::from(first - RANGE.start) + HANDED_OUT.fetch_add(1, Ordering::Relaxed);
        RANGE.start + u16::try_from(offset % RANGE.len()).expect("the range is one of u16")
    });
    tries
        .by_ref()
        .take(RANGE.len())
        .find(|port| is_free(*port))
        .context("found no free port on 127.0.0.1")
}
