-- The session: which agent it is pinned to, what it remembers, and which worker may run it now.

create table conversation_states (
    connection_id uuid primary key references connections,
    -- the agent lock
    active_agent varchar(50),
    locked_at timestamptz,
    session_ttl int not null default 86400 check (session_ttl > 0),
    state jsonb not null default '{}',
    -- incoming messages that are neither answered nor failed
    pending int not null default 0 check (pending >= 0),
    -- no turn before this
    run_at timestamptz not null default now(),
    -- the next messages.number
    next_number bigint not null default 1,
    -- messages.number at which this session began; what is older belongs to an expired one
    session_start bigint not null default 1,
    -- the lease: the epoch grows by one with each acquisition
    lease_owner uuid,
    lease_epoch bigint not null default 0,
    lease_expires_at timestamptz,
    -- stream sequences up to which messages were asked to stop, and were erased
    stopped_seq bigint not null default 0,
    erased_seq bigint not null default 0,
    check ((lease_owner is null) = (lease_expires_at is null))
);

-- what the workers look through for work
create index conversation_states_due on conversation_states (run_at) where pending > 0;
-- what the janitor looks through
create index conversation_states_locked on conversation_states (locked_at) where locked_at is not null;
