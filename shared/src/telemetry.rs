//! Logs. They carry ids and codes; never text, names, numbers or devices.

use tracing_subscriber::EnvFilter;

/// Writes logs to standard error, at info, or at debug where `debug` is set. Only the first call has an effect.
pub fn init(debug: bool) {
    let level = if debug { "debug" } else { "info" };
    // Libraries log what they send at debug and trace, which is what visitors wrote.
    let filter = EnvFilter::new(format!(
        "warn,api={level},worker={level},shared={level},local={level}"
    ));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
    // The usual message of a panic can quote what a visitor wrote; its place in the code cannot.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "❌ Error: panic");
    }));
}
