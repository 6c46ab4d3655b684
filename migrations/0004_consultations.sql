-- What the clinic's staff work with, and what the visitor allowed.

create table consents (
    id uuid primary key,
    user_id uuid not null references users,
    -- which wording was answered
    text_version text not null,
    given boolean not null,
    channel text not null,
    created_at timestamptz not null default now()
);

create index on consents (user_id, created_at);

create table consultations (
    id uuid primary key,
    user_id uuid not null references users,
    connection_id uuid not null references connections,
    name text not null,
    treatment text not null,
    contact text not null,
    preferred_time text not null,
    media jsonb not null default '[]',
    summary text not null,
    status text not null default 'requested',
    created_at timestamptz not null default now()
);

create index on consultations (user_id);
create index on consultations (connection_id);
create index on consultations (status, created_at);
