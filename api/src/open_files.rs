//! Room for connections: each is an open file, of which the system allows a process so many.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use crate::capacity::RESERVE;

/// Open files besides connections of clients: the reserve, connections to the servers, the runtime's own.
const OTHERS: u64 = RESERVE as u64 + 192;

/// Raises this process's limit of open files so that `connections` fit, as far as the system lets it, and returns how many do.
///
/// Most systems start a process with 1,024 and let it have far more.
pub fn make_room(connections: usize) -> usize {
    let wanted = (connections as u64).saturating_add(OTHERS);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // Where it is refused, fewer connections fit.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(raised),
                maximum: limit.maximum,
            },
        );
    }
    let open_files = getrlimit(Resource::Nofile).current;
    let room = room(connections, open_files);
    if room < connections {
        warn!(
            room,
            open_files, "the system's limit of open files leaves no room for MAX_CONNECTIONS"
        );
    }
    room
}

/// How many of `connections` fit into so many open files (`None` = any number).
fn room(connections: usize, open_files: Option<u64>) -> usize {
    let Some(open_files) = open_files else {
        return connections;
    };
    // Where there is hardly room for anything, half of it.
    let room = open_files.saturating_sub(OTHERS).max(open_files / 2);
    connections.min(usize::try_from(room).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_needs_itself_is_left_free() {
        assert_eq!(room(10_000, None), 10_000);
        assert_eq!(room(10_000, Some(20_000)), 10_000);
        assert_eq!(room(10_000, Some(1024)), 768);
        assert_eq!(room(10_000, Some(100)), 50);
    }

    #[test]
    fn the_limit_is_raised_as_far_as_needed() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let room = make_room(100);
        let after = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(room <= 100 && after >= before, "never lowered");
    }
}
