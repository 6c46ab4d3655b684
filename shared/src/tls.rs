//! The one TLS implementation of a process.

/// Makes ring the provider of rustls. To be called first in `main`: without it, the first TLS connection panics.
pub fn install() {
    // A second call finds the provider of the first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
