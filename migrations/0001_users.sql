-- Who writes, and from where.

create table users (
    id uuid primary key,
    -- '+1234567890' on WhatsApp, 'chat_{user id or device}' on the web
    phone_number text not null,
    -- the website vouched for this user; a device id never names a verified user
    verified boolean not null default false,
    name text,
    language text,
    created_at timestamptz not null default now(),
    unique (phone_number, verified)
);

create table connections (
    -- the session key
    id uuid primary key,
    user_id uuid not null references users,
    channel text not null check (channel in ('web', 'whatsapp')),
    device_id text not null,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    unique (channel, device_id, user_id)
);

create index on connections (user_id);
