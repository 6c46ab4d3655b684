//! Black-box tests: real processes, real servers.

mod bad_input;
mod browser;
mod bursts;
mod chaos;
mod compose;
mod conversation;
mod crash;
mod database;
mod erasure;
mod failed;
mod in_process;
mod model;
mod order;
mod outage;
mod overload;
mod sessions;
mod stateless;
mod stop;
mod storm;
mod topology;
mod turns;
mod webhooks;
mod whatsapp;
mod wire;
