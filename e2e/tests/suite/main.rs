//! Black-box tests: real processes, real servers.

mod bad_input;
mod browser;
mod chaos;
mod compose;
mod conversation;
mod crash;
mod database;
mod deliveries;
mod delivery_errors;
mod erasure;
mod failed;
mod in_process;
mod model;
mod order;
mod outage;
mod outbox;
mod overload;
mod sessions;
mod stateless;
mod stop;
mod topology;
mod turns;
mod wire;
