//! What `local run` prints: before, what it will do; once it is ready, where everything is.
#![expect(clippy::print_stdout, reason = "this is the command's output")]

use local::Services;

use crate::cli::Place;

/// Before anything is started.
pub fn before(place: &Place) {
    println!(
        "Starting PostgreSQL and NATS with data in {}, then the api and a worker (some seconds).",
        place.dir.display()
    );
}

/// When the api answers.
pub fn ready(services: &Services, page: &str, delay: u64) {
    let dir = services.dir().display();
    let home = services.postgres_home().display();
    println!(
        r#"
Frontdesk is ready.

  page       {page}
  API docs   {page}docs

  ask        curl {page}chat/ -H 'Content-Type: application/json' \
               -d '{{"content":"Hello, I want to schedule an appointment"}}'
  stream     curl -N {page}chat/stream -H 'Content-Type: application/json' \
               -d '{{"content":"I need help with my medical consultation"}}'

  another worker, from a second terminal in this folder:
             env $(grep -E '_URL=|^META_|^TWILIO_' '{dir}/running') OFFLINE_TOKEN_DELAY_MS={delay} cargo run -p worker

  data       {dir} (PostgreSQL: {home})
  logs       {dir}/log (PostgreSQL, NATS); those of the api and the worker are below
  stop       Ctrl-C; the data stays
  start anew make clean-data
"#
    );
}

/// Where the simulator of WhatsApp is.
pub fn phone(base_url: &str) {
    println!(
        r#"  WhatsApp   {base_url}/ plays a phone that writes to the clinic
             curl {base_url}/phone/act -H 'Content-Type: application/json' \
               -d '{{"number":"16505551234","act":"text","text":"Do you have a date in May?"}}'
             curl '{base_url}/phone/screen?provider=meta&number=16505551234'
"#
    );
}
