-- Intake, lease and commit. They are functions, and volatile, because each of their statements then sees what was committed
-- while it waited for a lock; a single statement would go on with the snapshot from before the wait.
--
-- Locks are always taken in this order: users and connections that do not exist yet, by id; state rows, by connection_id;
-- existing users, by id. Expiry is judged by clock_timestamp(), since now() stands still during a wait.

-- Whether the row's lease still keeps others out. PostgreSQL's own absence does not count: for some seconds after its start
-- an expired lease may still be renewed by the worker that held it.
create function lease_is_live(s conversation_states) returns boolean
language sql volatile as $$
    select s.lease_owner is not null
        and greatest(s.lease_expires_at, pg_postmaster_start_time() + interval '5 s') > clock_timestamp()
$$;

-- Whether p_worker may lease the row. p_held are the sessions that it runs: those are never leased again under it, also when
-- their lease has expired, since it can still be renewed. A lease of its own that it does not know of a second after taking
-- it is one of which the answer was lost.
create function may_lease(s conversation_states, p_worker uuid, p_held uuid[], p_lease interval) returns boolean
language sql volatile as $$
    select s.connection_id <> all (p_held)
        and (not lease_is_live(s)
            or s.lease_owner = p_worker and s.lease_expires_at < clock_timestamp() + p_lease - interval '1 s')
$$;

-- The input of the session's next turn, as the worker reads it; null where there is none. Counts the attempt unless p_again,
-- and a crash where the lease was taken from a worker that had not given it back.
-- The caller holds the lock of the state row and has just leased it.
create function begin_turn(p_connection uuid, p_again boolean, p_crashed boolean) returns jsonb
language plpgsql volatile as $$
declare
    s conversation_states;
    m messages;
begin
    update messages
    set attempts = attempts + case when p_again then 0 else 1 end, crashes = crashes + case when p_crashed then 1 else 0 end
    where id = (
        select id from messages
        where connection_id = p_connection and status = 'pending'
        order by stream_seq limit 1)
    returning * into m;
    if not found then
        return null;
    end if;
    select * into strict s from conversation_states where connection_id = p_connection;
    return (
        select jsonb_build_object(
            'session', replace(c.id::text, '-', ''),
            'epoch', s.lease_epoch,
            'channel', c.channel,
            'active_agent', s.active_agent,
            'locked_at', s.locked_at,
            'session_ttl', s.session_ttl,
            'state', s.state,
            'pending', s.pending,
            'user', jsonb_build_object(
                'id', u.id, 'name', u.name, 'language', u.language,
                'consented', coalesce((
                    select given from consents where user_id = u.id order by created_at desc limit 1), false)),
            'request', jsonb_build_object(
                'id', m.id, 'body', m.body, 'media', m.media, 'stream_seq', m.stream_seq, 'attempts', m.attempts,
                'crashes', m.crashes, 'received_at', m.created_at),
            'history', (
                select coalesce(jsonb_agg(
                    jsonb_build_object('incoming', h.direction = 'incoming', 'body', h.body) order by h.number), '[]')
                from (
                    select direction, body, number, sum(length(body)) over (order by number desc) as total
                    from (
                        select direction, left(body, 8000) as body, number from messages
                        where connection_id = p_connection and number >= s.session_start and status <> 'pending'
                        order by number desc limit 40) newest) h
                where h.total <= 16000))
        from connections c join users u on u.id = c.user_id
        where c.id = p_connection);
end $$;

create type taking_in as (
    place bigint, request_id uuid, connection_id uuid, user_id uuid, phone_number text, verified boolean, channel text,
    device text, body text, media jsonb, stream_seq bigint, body_hash bytea, received_at timestamptz
);

-- Takes a batch of envelopes in: writes what is new, leases the sessions that nobody runs, and begins their turns.
-- One row an envelope, in the order of the batch; a session's turn stands in the row of its first envelope.
create function take_in(p_batch jsonb, p_worker uuid, p_held uuid[], p_lease interval, p_session_ttl int)
returns table (outcome text, user_created boolean, turn jsonb)
language plpgsql volatile as $$
declare
    v_batch taking_in[];
    v_connections uuid[];
    v_new_users uuid[];
    v_new_messages uuid[];
    v_leased uuid[] := '{}';
    v_turns jsonb[] := '{}';
    v_connection uuid;
    v_crashed boolean;
begin
    v_batch := array(
        select row (
            e.place, (e.item->>'request_id')::uuid, (e.item->>'connection_id')::uuid, (e.item->>'user_id')::uuid,
            e.item->>'phone_number', (e.item->>'verified')::boolean, e.item->>'channel', e.item->>'device',
            e.item->>'body', e.item->'media', (e.item->>'stream_seq')::bigint, decode(e.item->>'body_hash', 'hex'),
            (e.item->>'received_at')::timestamptz)::taking_in
        from jsonb_array_elements(p_batch) with ordinality e (item, place));

    with created as (
        insert into users (id, phone_number, verified)
        select distinct on (t.user_id) t.user_id, t.phone_number, t.verified from unnest(v_batch) t
        order by t.user_id
        on conflict do nothing
        returning id)
    select array_agg(id) into v_new_users from created;

    insert into connections (id, user_id, channel, device_id)
    select distinct on (t.connection_id) t.connection_id, t.user_id, t.channel, t.device from unnest(v_batch) t
    order by t.connection_id
    on conflict do nothing;

    insert into conversation_states (connection_id, session_ttl)
    select distinct t.connection_id, p_session_ttl from unnest(v_batch) t
    order by t.connection_id
    on conflict do nothing;

    select array_agg(l.connection_id) into v_connections from (
        select s.connection_id from conversation_states s
        where s.connection_id in (select t.connection_id from unnest(v_batch) t)
        order by s.connection_id
        for update) l;

    update connections set last_seen_at = now() where id = any (v_connections);

    -- an expired session starts anew
    update conversation_states s
    set active_agent = null, locked_at = null, state = '{}', session_start = s.next_number
    where s.connection_id = any (v_connections) and s.pending = 0 and not lease_is_live(s)
        and s.locked_at + make_interval(secs => s.session_ttl) < now();

    with fresh as (
        select distinct on (t.request_id) t.*
        from unnest(v_batch) t join conversation_states s using (connection_id)
        where t.stream_seq > s.erased_seq and not exists (select from messages m where m.id = t.request_id)
        order by t.request_id, t.stream_seq
    ), written as (
        insert into messages (
            id, user_id, connection_id, direction, body, media_url, media, status, stream_seq, number, body_hash, created_at)
        select f.request_id, f.user_id, f.connection_id, 'incoming', f.body, f.media->0->>'url', f.media, 'pending',
            f.stream_seq, s.next_number + row_number() over (partition by f.connection_id order by f.stream_seq) - 1,
            f.body_hash, f.received_at
        from fresh f join conversation_states s using (connection_id)
        order by f.stream_seq
        returning id, connection_id
    ), counted as (
        select w.connection_id, count(*) as messages from written w group by w.connection_id
    ), noted as (
        update conversation_states s
        set next_number = s.next_number + c.messages,
            pending = s.pending + c.messages,
            run_at = case when s.pending = 0 then clock_timestamp() else s.run_at end
        from counted c where c.connection_id = s.connection_id)
    select array_agg(id) into v_new_messages from written;

    -- what came late takes its place: numbers and positions agree with the order of arrival
    update messages m set number = d.number, position = d.position
    from (
        select by_arrival.id, by_number.number, by_number.position
        from (
            select p.id, p.connection_id, row_number() over (partition by p.connection_id order by p.stream_seq) as place
            from messages p where p.connection_id = any (v_connections) and p.status = 'pending') by_arrival
        join (
            select p.connection_id, p.number, p.position,
                row_number() over (partition by p.connection_id order by p.number) as place
            from messages p where p.connection_id = any (v_connections) and p.status = 'pending') by_number
        using (connection_id, place)) d
    where m.id = d.id and m.number <> d.number;

    for v_connection, v_crashed in
        select s.connection_id, s.lease_owner is not null and s.lease_owner <> p_worker from conversation_states s
        where s.connection_id = any (v_connections) and s.pending > 0 and s.run_at <= clock_timestamp()
            and may_lease(s, p_worker, p_held, p_lease)
    loop
        update conversation_states s
        set lease_owner = p_worker, lease_epoch = s.lease_epoch + 1, lease_expires_at = clock_timestamp() + p_lease
        where s.connection_id = v_connection;
        v_leased := v_leased || v_connection;
        v_turns := v_turns || begin_turn(v_connection, false, v_crashed);
    end loop;

    return query
    select
        case
            when t.request_id = any (v_new_messages)
                and t.place = min(t.place) over (partition by t.request_id) then 'stored'
            when t.stream_seq <= s.erased_seq then 'erased'
            else 'known'
        end,
        t.user_id = any (coalesce(v_new_users, '{}')) and t.place = min(t.place) over (partition by t.user_id),
        case when t.place = min(t.place) over (partition by t.connection_id)
            then v_turns[array_position(v_leased, t.connection_id)] end
    from unnest(v_batch) t join conversation_states s using (connection_id)
    order by t.place;
end $$;

-- Leases up to p_limit sessions that have work and that nobody runs, or whose owner is one of p_dead, and begins their turns.
create function claim_due(p_worker uuid, p_held uuid[], p_lease interval, p_limit int, p_dead uuid[]) returns setof jsonb
language plpgsql volatile as $$
declare
    v_connection uuid;
    v_crashed boolean;
begin
    for v_connection, v_crashed in
        select s.connection_id, s.lease_owner is not null and s.lease_owner <> p_worker from conversation_states s
        where s.pending > 0
            and (s.run_at <= now() and may_lease(s, p_worker, p_held, p_lease) or s.lease_owner = any (p_dead))
        order by s.run_at limit p_limit
        for update skip locked
    loop
        update conversation_states
        set lease_owner = p_worker, lease_epoch = lease_epoch + 1, lease_expires_at = clock_timestamp() + p_lease
        where connection_id = v_connection;
        return next begin_turn(v_connection, false, v_crashed);
    end loop;
end $$;

-- Prolongs the leases that the worker still holds, and returns whose they are.
create function renew_leases(p_worker uuid, p_connections uuid[], p_epochs bigint[], p_lease interval)
returns setof uuid
language plpgsql volatile as $$
begin
    perform from conversation_states
    where connection_id = any (p_connections) order by connection_id for update;
    return query
    update conversation_states s set lease_expires_at = clock_timestamp() + p_lease
    from unnest(p_connections, p_epochs) held (connection_id, epoch)
    where s.connection_id = held.connection_id and s.lease_owner = p_worker and s.lease_epoch = held.epoch
    returning s.connection_id;
end $$;

-- Gives a session back, to be run again after p_delay; p_give_back takes the attempt off the request's count.
-- False where the lease is another's by now.
create function release_lease(
    p_worker uuid, p_connection uuid, p_epoch bigint, p_request uuid, p_delay interval, p_give_back boolean)
returns boolean
language plpgsql volatile as $$
begin
    update conversation_states
    set lease_owner = null, lease_expires_at = null, run_at = clock_timestamp() + p_delay
    where connection_id = p_connection and lease_owner = p_worker and lease_epoch = p_epoch;
    if not found then
        return false;
    end if;
    if p_give_back then
        update messages set attempts = attempts - 1 where id = p_request and status = 'pending' and attempts > 0;
    end if;
    return true;
end $$;

-- Stores the replies of a batch of turns with everything that follows from them, each fenced by owner and epoch.
-- One row a reply, in the order of the batch: 'committed', or 'lost' where the session is another's by now; with the next
-- turn where one waits and the item asks for it ("continue"). May be called again after an ambiguous failure.
create function commit_turns(p_batch jsonb, p_worker uuid, p_lease interval)
returns table (outcome text, session_ttl int, locked_at timestamptz, turn jsonb)
language plpgsql volatile as $$
declare
    v_item jsonb;
    v_results jsonb[] := '{}';
    s conversation_states;
    v_user uuid;
    v_channel text;
    v_written boolean;
    v_flipped int;
    v_effect jsonb;
    v_number bigint;
    v_turn jsonb;
begin
    perform from conversation_states st
    where st.connection_id in (select (i->>'connection_id')::uuid from jsonb_array_elements(p_batch) i)
    order by st.connection_id for update;
    perform from users u
    where u.id in (
        select c.user_id from jsonb_array_elements(p_batch) i
        join connections c on c.id = (i->>'connection_id')::uuid
        where jsonb_array_length(i->'effects') > 0)
    order by u.id for no key update;

    for v_item in select i from jsonb_array_elements(p_batch) i
    loop
        v_turn := null;
        select * into strict s from conversation_states st where st.connection_id = (v_item->>'connection_id')::uuid;
        if s.lease_owner is distinct from p_worker or s.lease_epoch <> (v_item->>'epoch')::bigint then
            -- an ambiguous commit may have gone through, and given the lease back
            v_results := v_results || jsonb_build_object('outcome',
                case when exists (select from messages m where m.id = (v_item->>'id')::uuid
                        and m.body = v_item->>'body' and s.lease_epoch = (v_item->>'epoch')::bigint)
                    then 'committed' else 'lost' end);
            continue;
        end if;
        select c.user_id, c.channel into strict v_user, v_channel from connections c where c.id = s.connection_id;

        insert into messages (
            id, user_id, connection_id, direction, body, status, reply_to, first_seq, piece_ends, final_fields, number, error)
        values (
            (v_item->>'id')::uuid, v_user, s.connection_id, 'outgoing', v_item->>'body', v_item->>'status',
            (v_item->>'reply_to')::uuid, (v_item->>'first_seq')::bigint,
            array(select p::int from jsonb_array_elements_text(v_item->'piece_ends') with ordinality x (p, n) order by n),
            v_item->'final_fields', s.next_number, v_item->>'error')
        on conflict do nothing;
        v_written := found;

        if v_written then
            update messages m
            set status = case when v_item->>'status' = 'failed' then 'failed' else 'answered' end,
                error = v_item->>'error',
                answered_by = nullif((v_item->>'reply_to')::uuid, m.id)
            where m.connection_id = s.connection_id and m.status = 'pending'
                and m.id in (select r::uuid from jsonb_array_elements_text(v_item->'requests') r);
            get diagnostics v_flipped = row_count;
            update conversation_states st
            set next_number = st.next_number + 1, pending = st.pending - v_flipped
            where st.connection_id = s.connection_id;

            update conversation_states st
            set state = case when v_item->'state' = 'null' then st.state else v_item->'state' end,
                active_agent = coalesce(v_item->>'active_agent', st.active_agent),
                locked_at = clock_timestamp()
            where st.connection_id = s.connection_id;

            for v_number, v_effect in
                select e.n, e.effect from jsonb_array_elements(v_item->'effects') with ordinality e (effect, n) order by e.n
            loop
                case v_effect->>'type'
                when 'consent' then
                    insert into consents (id, user_id, text_version, given, channel, created_at)
                    values (
                        (v_effect->>'id')::uuid, v_user, v_effect->>'text_version', (v_effect->>'given')::boolean,
                        v_channel, clock_timestamp());
                when 'name' then
                    update users set name = v_effect->>'name' where id = v_user;
                when 'consultation' then
                    insert into consultations (
                        id, user_id, connection_id, name, treatment, contact, preferred_time, media, summary)
                    values (
                        (v_effect->>'id')::uuid, v_user, s.connection_id, v_effect->>'name', v_effect->>'treatment',
                        v_effect->>'contact', v_effect->>'preferred_time', v_effect->'media', v_effect->>'summary');
                end case;
            end loop;
        end if;

        select * into strict s from conversation_states st where st.connection_id = s.connection_id;
        if s.pending > 0 and (v_item->>'continue')::boolean then
            update conversation_states st
            set lease_expires_at = clock_timestamp() + p_lease, run_at = clock_timestamp()
            where st.connection_id = s.connection_id;
            -- said again after an ambiguous commit, which had begun it already
            v_turn := begin_turn(s.connection_id, not v_written, false);
        else
            update conversation_states st
            set lease_owner = null, lease_expires_at = null, run_at = clock_timestamp()
            where st.connection_id = s.connection_id;
        end if;
        v_results := v_results || jsonb_build_object(
            'outcome', 'committed', 'session_ttl', s.session_ttl, 'locked_at', s.locked_at, 'turn', v_turn);
    end loop;

    return query
    select r.value->>'outcome', (r.value->>'session_ttl')::int, (r.value->>'locked_at')::timestamptz,
        nullif(r.value->'turn', 'null')
    from unnest(v_results) with ordinality r (value, place) order by r.place;
end $$;

-- Clears up to p_limit sessions that have expired, and returns how many.
create function clean_up_sessions(p_limit int) returns bigint
language sql volatile as $$
    with expired as (
        select s.connection_id from conversation_states s
        where s.locked_at + make_interval(secs => s.session_ttl) < now()
            and s.pending = 0 and not lease_is_live(s)
        limit p_limit
        for update skip locked
    ), cleared as (
        update conversation_states s
        set active_agent = null, locked_at = null, state = '{}', session_start = s.next_number
        from expired e where e.connection_id = s.connection_id
        returning 1)
    select count(*) from cleared
$$;
