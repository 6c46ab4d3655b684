-- The outbox: replies on their way to a provider.

create table deliveries (
    id uuid primary key,
    message_id uuid not null references messages,
    part int not null default 0,
    recipient text not null,
    status text not null default 'queued',
    provider_id text unique,
    attempts int not null default 0,
    next_at timestamptz not null default now(),
    error text,
    unique (message_id, part)
);

create index deliveries_due on deliveries (next_at) where status = 'queued';
