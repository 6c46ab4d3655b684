-- Everything that was said, by either side.

create table messages (
    -- the request id of an incoming message
    id uuid primary key,
    -- sorts a user's messages: given out under the session's lock, so that within a session it agrees with number
    position bigint generated always as identity,
    user_id uuid not null references users,
    connection_id uuid not null references connections,
    direction text not null check (direction in ('incoming', 'outgoing')),
    body text not null,
    -- the first of media
    media_url text,
    -- [{"kind": "media" or "audio", "url": …}], in the order in which they came
    media jsonb not null default '[]',
    status text not null check (
        (direction = 'incoming' and status in ('pending', 'answered', 'failed'))
        or (direction = 'outgoing' and status in ('complete', 'stopped', 'failed'))),
    -- outgoing: the request that it answers
    reply_to uuid unique references messages,
    -- incoming, where a burst shares one reply: the request to which that reply is addressed
    answered_by uuid references messages,
    -- outgoing: seq of the first event; 1, unless the text was begun anew
    first_seq bigint,
    -- outgoing: where each event's text ends in body, in bytes
    piece_ends int[],
    -- outgoing: the fields of the final event that only some have
    final_fields jsonb,
    -- incoming: its place in the queue
    stream_seq bigint,
    -- its place in the session
    number bigint not null,
    -- incoming: tells whether two requests of the same key say the same
    body_hash bytea,
    -- incoming: how often a turn over it began
    attempts int not null default 0,
    -- why it failed: a code
    error text,
    provider_id text unique,
    created_at timestamptz not null default now(),
    unique (connection_id, number)
);

-- history, keyset
create index messages_history on messages (user_id, position);
-- the next turn's input
create index messages_pending on messages (connection_id, stream_seq) where status = 'pending';
-- a session's newest message, and whether an older one was taken in
create index messages_stream_seq on messages (connection_id, stream_seq) where direction = 'incoming';
create index messages_answered_by on messages (answered_by) where answered_by is not null;
