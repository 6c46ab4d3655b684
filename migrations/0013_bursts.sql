-- WhatsApp's turns: bursts that share a reply, messages that are changed or deleted afterwards, and the outbox.

alter type taking_in
    add attribute provider_id text, add attribute sent_at timestamptz, add attribute address jsonb,
    -- 'edit' or 'revoke', and the message that it is about
    add attribute change text, add attribute changes uuid,
    add attribute urgent boolean,
    -- a session's turn waits for so long without another message, and so long in all
    add attribute quiet interval, add attribute burst interval;

drop function release_lease, retry_request;

-- A message as a turn is given it.
create function turn_request(m messages) returns jsonb
language sql immutable as $$
    select jsonb_build_object(
        'id', m.id, 'body', m.body, 'media', m.media, 'stream_seq', m.stream_seq, 'attempts', m.attempts,
        'crashes', m.crashes, 'turns', m.turns, 'ahead', m.ahead, 'retries', m.retries, 'received_at', m.created_at,
        'sent_at', m.sent_at, 'revision', m.revision, 'overtaken', m.overtaken, 'provider_id', m.provider_id)
$$;

-- When the turn of a burst may begin: after p_quiet without another message, or p_burst after its first; an emergency's at once.
create function burst_ends(p_connection uuid, p_quiet interval, p_burst interval) returns timestamptz
language sql volatile as $$
    select case when bool_or(urgent) then clock_timestamp()
        else least(clock_timestamp() + p_quiet, min(created_at) + p_burst) end
    from messages where connection_id = p_connection and status = 'pending'
$$;

-- Whether the visitor has deleted what the reply answers, or changed it since; or, where the reply makes way for others ("join"),
-- has written something that it does not know.
create function is_overtaken(p_connection uuid, p_reply jsonb) returns boolean
language sql stable as $$
    with covered as (
        select m.* from messages m
        where m.id in (select r::uuid from jsonb_array_elements_text(p_reply->'requests') r))
    select not exists (select from messages where id = (p_reply->>'id')::uuid)
        and (not exists (select from covered where status = 'pending')
            or (select sum(revision) from covered) <> (p_reply->>'revision')::bigint
            or (p_reply->>'join')::boolean and exists (
                select from messages m
                where m.connection_id = p_connection and m.status = 'pending' and m.id not in (select id from covered)))
$$;

-- Changes or deletes a message, as its visitor did. What has been answered is answered again: the change becomes a message of its
-- own, which a later change replaces or deletes, too. What has not come yet is written as it will have been. False where that is
-- known already. The caller holds the lock of the state row.
create function change_message(t taking_in) returns boolean
language plpgsql volatile as $$
declare
    m messages;
    v_deleted boolean := t.change = 'revoke';
    -- the rows that hold what it said until now, and how many of them wait for an answer
    v_texts uuid[];
    v_waiting int;
    -- the row that is to be answered
    v_new uuid;
begin
    select * into m from messages where id = t.changes and connection_id = t.connection_id and direction = 'incoming';
    if not found then
        v_new := t.changes;
    elsif m.edited_at > t.sent_at or (m.body = t.body and m.media = t.media)
        -- the provider's clock has whole seconds: of two changes in one, the deletion is the later
        or (m.edited_at = t.sent_at and m.body = '' and m.media = '[]') then
        return false;
    else
        select array_agg(x.id), count(*) filter (where x.status = 'pending') into v_texts, v_waiting
        from messages x where x.id = m.id or x.edits = m.id;
        -- a change that was answered keeps nothing, not even the new text: that stands in the message itself and in what is answered next
        update messages x
        set body = case when x.id = m.id or x.status = 'pending' then t.body else '' end,
            media = case when x.id = m.id or x.status = 'pending' then t.media else '[]' end,
            media_url = case when x.id = m.id or x.status = 'pending' then t.media->0->>'url' end,
            body_hash = t.body_hash, edited_at = t.sent_at, revision = x.revision + 1,
            urgent = x.urgent or coalesce(t.urgent, false), status = case when v_deleted then 'answered' else x.status end
        where x.id = any (v_texts);
        if v_deleted then
            update conversation_states set pending = pending - v_waiting where connection_id = t.connection_id;
            return true;
        elsif v_waiting > 0 then
            return true;
        end if;
        v_new := t.request_id;
    end if;
    insert into messages (
        id, user_id, connection_id, direction, body, media_url, media, status, stream_seq, number, body_hash, created_at,
        sent_at, edited_at, urgent, edits)
    select v_new, t.user_id, t.connection_id, 'incoming', t.body, t.media->0->>'url', t.media,
        case when v_deleted then 'answered' else 'pending' end, t.stream_seq, s.next_number, t.body_hash, t.received_at,
        t.sent_at, t.sent_at, coalesce(t.urgent, false), m.id
    from conversation_states s where s.connection_id = t.connection_id
    on conflict do nothing;
    if not found then
        return false;
    end if;
    update conversation_states
    set next_number = next_number + 1, pending = pending + case when v_deleted then 0 else 1 end
    where connection_id = t.connection_id;
    return true;
end $$;

-- The input of the session's next turn, as the worker reads it; null where there is none. On the web a turn answers the oldest
-- pending message, on WhatsApp all of them, in the order in which they were written. Counts the attempt unless p_again, and a
-- crash where the lease was taken from a worker that had not given it back.
-- The caller holds the lock of the state row and has just leased it.
create or replace function begin_turn(p_connection uuid, p_again boolean, p_crashed boolean) returns jsonb
language plpgsql volatile as $$
declare
    c connections;
    s conversation_states;
    m messages;
    v_requests uuid[];
begin
    select * into strict c from connections where id = p_connection;
    if c.channel = 'whatsapp' then
        v_requests := array(
            select id from messages where connection_id = p_connection and status = 'pending' order by sent_at, stream_seq);
    else
        v_requests := array(
            select id from messages where connection_id = p_connection and status = 'pending' order by stream_seq limit 1);
    end if;
    if v_requests = '{}' then
        return null;
    end if;
    update messages
    set attempts = attempts + case when p_again then 0 else 1 end, crashes = crashes + case when p_crashed then 1 else 0 end,
        turns = turns + 1
    where id = any (v_requests);
    select * into strict m from messages where id = v_requests[cardinality(v_requests)];
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
            'stopped', case
                when c.channel = 'whatsapp'
                    then s.stopped_seq >= (select max(stream_seq) from messages where id = any (v_requests))
                else is_stopped(s, m) end,
            'user', jsonb_build_object(
                'id', u.id, 'name', u.name, 'language', u.language,
                'consented', coalesce((
                    select given from consents where user_id = u.id order by created_at desc limit 1), false)),
            'address', c.address,
            'request', turn_request(m),
            'earlier', (
                select coalesce(jsonb_agg(turn_request(e) order by array_position(v_requests, e.id)), '[]')
                from messages e where e.id = any (v_requests) and e.id <> m.id),
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
        from users u where u.id = c.user_id);
end $$;

-- Gives a session back, to be run again after p_delay, or at once where an emergency has come meanwhile; p_give_back takes the
-- attempt off the requests' count.
-- False where the lease is another's by now.
create function release_lease(
    p_worker uuid, p_connection uuid, p_epoch bigint, p_requests uuid[], p_delay interval, p_give_back boolean)
returns boolean
language plpgsql volatile as $$
begin
    update conversation_states
    set lease_owner = null, lease_expires_at = null,
        run_at = clock_timestamp() + case
            when exists (
                select from messages m
                where m.connection_id = p_connection and m.status = 'pending' and m.urgent and m.id <> all (p_requests))
            then interval '0' else p_delay end
    where connection_id = p_connection and lease_owner = p_worker and lease_epoch = p_epoch;
    if not found then
        return false;
    end if;
    if p_give_back then
        update messages set attempts = attempts - 1
        where id = any (p_requests) and status = 'pending' and attempts > 0;
    end if;
    return true;
end $$;

-- Takes a batch of envelopes in: writes what is new, leases the sessions that nobody runs, and begins their turns.
-- An envelope that brings its reply along (p_batch's "answered") is written with it, unless its request has been taken in: then
-- that one's turn counts. One that wants to interrupt asks everything before it to stop. One that changes another message
-- ("change") changes that one's row.
-- One row an envelope, in the order of the batch; a session's turn stands in the row of its first envelope.
create or replace function take_in(p_batch jsonb, p_worker uuid, p_held uuid[], p_lease interval, p_session_ttl int)
returns table (outcome text, user_created boolean, turn jsonb, ahead int)
language plpgsql volatile as $$
declare
    v_batch taking_in[];
    v_item taking_in;
    v_connections uuid[];
    v_new_users uuid[];
    v_new_messages uuid[];
    v_leased uuid[] := '{}';
    v_turns jsonb[] := '{}';
    v_connection uuid;
    v_crashed boolean;
    v_changed uuid[] := '{}';
    v_writing uuid[];
begin
    v_batch := array(
        select row (
            e.place, (e.item->>'request_id')::uuid, (e.item->>'connection_id')::uuid, (e.item->>'user_id')::uuid,
            e.item->>'phone_number', (e.item->>'verified')::boolean, e.item->>'channel', e.item->>'device',
            e.item->>'body', e.item->'media', (e.item->>'stream_seq')::bigint, decode(e.item->>'body_hash', 'hex'),
            (e.item->>'received_at')::timestamptz, (e.item->>'interrupt')::boolean,
            nullif(e.item->'answered', 'null'), e.item->>'provider_id', (e.item->>'sent_at')::timestamptz,
            nullif(e.item->'address', 'null'), e.item->>'change', (e.item->>'changes')::uuid, (e.item->>'urgent')::boolean,
            (e.item->>'quiet')::interval, (e.item->>'burst')::interval)::taking_in
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

    perform from connections where id = any (v_connections) order by id for no key update;

    update connections c
    set address = w.address, last_written_at = greatest(c.last_written_at, w.sent_at)
    from (
        select distinct on (t.connection_id) t.connection_id, t.address, max(t.sent_at) over (partition by t.connection_id) as sent_at
        from unnest(v_batch) t where t.address is not null order by t.connection_id, t.sent_at desc) w
    where c.id = w.connection_id;

    -- a row that a stop or an erasure made first has the column's default
    update conversation_states set session_ttl = p_session_ttl
    where connection_id = any (v_connections) and next_number = 1 and session_ttl <> p_session_ttl;

    -- an expired session starts anew
    update conversation_states s
    set active_agent = null, locked_at = null, state = '{}', session_start = s.next_number
    where s.connection_id = any (v_connections) and s.pending = 0 and not lease_is_live(s)
        and s.locked_at + make_interval(secs => s.session_ttl) < now();

    for v_item in
        select t.* from unnest(v_batch) t where t.answered is not null order by t.stream_seq
    loop
        with incoming as (
            insert into messages (
                id, user_id, connection_id, direction, body, media_url, media, status, stream_seq, number, body_hash, created_at)
            select v_item.request_id, v_item.user_id, v_item.connection_id, 'incoming', v_item.body,
                v_item.media->0->>'url', v_item.media, 'answered', v_item.stream_seq, s.next_number, v_item.body_hash,
                v_item.received_at
            from conversation_states s
            where s.connection_id = v_item.connection_id and v_item.stream_seq > s.erased_seq
            on conflict do nothing
            returning id, number
        ), outgoing as (
            insert into messages (
                id, user_id, connection_id, direction, body, status, reply_to, first_seq, piece_ends, final_fields, number,
                created_at)
            select (v_item.answered->>'id')::uuid, v_item.user_id, v_item.connection_id, 'outgoing',
                v_item.answered->>'body', 'complete', i.id, (v_item.answered->>'first_seq')::bigint,
                array(
                    select p::int from jsonb_array_elements_text(v_item.answered->'piece_ends') with ordinality x (p, n)
                    order by n),
                v_item.answered->'final_fields', i.number + 1, (v_item.answered->>'at')::timestamptz
            from incoming i
        ), noted as (
            update conversation_states s set next_number = i.number + 2
            from incoming i where s.connection_id = v_item.connection_id)
        select v_new_messages || array_agg(id) into v_new_messages from incoming;
    end loop;

    with fresh as (
        select distinct on (t.request_id) t.*
        from unnest(v_batch) t join conversation_states s using (connection_id)
        where t.answered is null and t.change is null and t.stream_seq > s.erased_seq
            and not exists (select from messages m where m.id = t.request_id or m.provider_id = t.provider_id)
        order by t.request_id, t.stream_seq
    ), written as (
        insert into messages (
            id, user_id, connection_id, direction, body, media_url, media, status, stream_seq, number, body_hash, created_at,
            provider_id, sent_at, urgent)
        select f.request_id, f.user_id, f.connection_id, 'incoming', f.body, f.media->0->>'url', f.media, 'pending',
            f.stream_seq, s.next_number + row_number() over (partition by f.connection_id order by f.stream_seq) - 1,
            f.body_hash, f.received_at, f.provider_id, f.sent_at, coalesce(f.urgent, false)
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
    select v_new_messages || array_agg(id) into v_new_messages from written;

    for v_item in
        select t.* from unnest(v_batch) t join conversation_states s using (connection_id)
        where t.change is not null and t.stream_seq > s.erased_seq order by t.stream_seq
    loop
        if change_message(v_item) then
            v_changed := v_changed || v_item.request_id;
        end if;
    end loop;

    update messages m set ahead = a.ahead
    from (
        select n.id, (
            select count(*) from messages o
            where o.connection_id = n.connection_id and o.status = 'pending' and o.stream_seq < n.stream_seq) as ahead
        from messages n where n.id = any (v_new_messages) and n.status = 'pending') a
    where a.id = m.id and a.ahead > 0;

    update conversation_states s set stopped_seq = greatest(s.stopped_seq, i.stream_seq - 1)
    from (
        select t.connection_id, max(t.stream_seq) as stream_seq from unnest(v_batch) t
        where t.interrupt and t.request_id = any (v_new_messages || v_changed) group by t.connection_id) i
    where i.connection_id = s.connection_id;

    -- a burst of messages is one thought
    update conversation_states s set run_at = burst_ends(s.connection_id, b.quiet, b.burst)
    from (
        select t.connection_id, max(t.quiet) as quiet, max(t.burst) as burst from unnest(v_batch) t
        where t.quiet is not null and t.request_id = any (v_new_messages || v_changed) group by t.connection_id) b
    where b.connection_id = s.connection_id and s.pending > 0;

    -- who writes opens the window again in which we may: nothing is held any more, or asks for it; locked in the order of ids, as
    -- all who lock several
    v_writing := array(
        select t.connection_id from unnest(v_batch) t where t.request_id = any (v_new_messages || v_changed));
    update connections set last_seen_at = clock_timestamp() where id = any (v_writing);
    perform from deliveries d
    where d.connection_id = any (v_writing) and (d.status = 'held' or d.status = 'queued' and d.error = 'template')
    order by d.id for update;
    update deliveries d set status = 'queued', next_at = clock_timestamp(), attempts = 0, error = null
    where d.connection_id = any (v_writing) and (d.status = 'held' or d.status = 'queued' and d.error = 'template');

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
            when t.request_id = any (v_changed) then 'changed'
            else 'known'
        end,
        t.user_id = any (coalesce(v_new_users, '{}')) and t.place = min(t.place) over (partition by t.user_id),
        case when t.place = min(t.place) over (partition by t.connection_id)
            then v_turns[array_position(v_leased, t.connection_id)] end,
        coalesce((select m.ahead from messages m where m.id = t.request_id and m.status = 'pending'), 0)
    from unnest(v_batch) t join conversation_states s using (connection_id)
    order by t.place;
end $$;

-- Stores the replies of a batch of turns with everything that follows from them, each fenced by owner and epoch.
-- One row a reply, in the order of the batch: 'committed'; 'lost' where the session is another's by now; or 'overtaken' where what
-- it answers was changed or deleted, or it would rather cover what came meanwhile ("join"): nothing was stored, and the session was
-- given back. With the next turn where one waits and the item asks for it ("continue"). A whole reply to a request that was asked to stop before this
-- call had its lock is stored as stopped, and changes nothing else; unless readers have had its final event ("final_said"). May be
-- called again after an ambiguous failure.
create or replace function commit_turns(p_batch jsonb, p_worker uuid, p_lease interval)
returns table (outcome text, session_ttl int, locked_at timestamptz, turn jsonb, stopped boolean)
language plpgsql volatile as $$
declare
    v_item jsonb;
    v_results jsonb[] := '{}';
    s conversation_states;
    m messages;
    v_status text;
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
        where jsonb_array_length(i->'effects') > 0 or i->>'language' is not null)
    order by u.id for no key update;

    for v_item in select i from jsonb_array_elements(p_batch) i
    loop
        v_turn := null;
        select * into strict s from conversation_states st where st.connection_id = (v_item->>'connection_id')::uuid;
        if s.lease_owner is distinct from p_worker or s.lease_epoch <> (v_item->>'epoch')::bigint then
            -- an ambiguous commit may have gone through, and given the lease back
            v_results := v_results || jsonb_build_object('outcome',
                case when exists (select from messages r where r.id = (v_item->>'id')::uuid
                        and r.body = v_item->>'body' and s.lease_epoch = (v_item->>'epoch')::bigint)
                    then 'committed' else 'lost' end,
                'stopped', exists (
                    select from messages r where r.id = (v_item->>'id')::uuid and r.status = 'stopped'));
            continue;
        end if;
        select c.user_id, c.channel into strict v_user, v_channel from connections c where c.id = s.connection_id;

        select * into strict m from messages r where r.id = (v_item->>'reply_to')::uuid;
        if v_channel = 'whatsapp' and is_overtaken(s.connection_id, v_item) then
            update messages r set attempts = greatest(r.attempts - 1, 0), overtaken = r.overtaken + 1
            where r.id in (select q::uuid from jsonb_array_elements_text(v_item->'requests') q) and r.status = 'pending';
            update conversation_states st set lease_owner = null, lease_expires_at = null
            where st.connection_id = s.connection_id;
            v_results := v_results || jsonb_build_object('outcome', 'overtaken');
            continue;
        end if;
        v_status := case
            when v_item->>'status' = 'complete' and v_channel = 'web' and is_stopped(s, m) and not (v_item->>'final_said')::boolean then 'stopped'
            else v_item->>'status' end;

        insert into messages (
            id, user_id, connection_id, direction, body, status, reply_to, first_seq, piece_ends, final_fields, number, error)
        values (
            (v_item->>'id')::uuid, v_user, s.connection_id, 'outgoing', v_item->>'body', v_status,
            (v_item->>'reply_to')::uuid, (v_item->>'first_seq')::bigint,
            array(select p::int from jsonb_array_elements_text(v_item->'piece_ends') with ordinality x (p, n) order by n),
            case when v_status = 'stopped'
                then ((v_item->'final_fields') - 'quick_replies'::text) || '{"status": "stopped"}'::jsonb else v_item->'final_fields' end,
            s.next_number, v_item->>'error')
        on conflict do nothing;
        v_written := found;

        if v_written then
            update messages r
            set status = case when v_item->>'status' = 'failed' then 'failed' else 'answered' end,
                error = v_item->>'error',
                answered_by = nullif((v_item->>'reply_to')::uuid, r.id)
            where r.connection_id = s.connection_id and r.status = 'pending'
                and r.id in (select q::uuid from jsonb_array_elements_text(v_item->'requests') q);
            get diagnostics v_flipped = row_count;
            update conversation_states st
            set next_number = st.next_number + 1, pending = st.pending - v_flipped
            where st.connection_id = s.connection_id;

            update conversation_states st
            set state = case when v_status <> 'complete' or v_item->'state' = 'null' then st.state else v_item->'state' end,
                active_agent = case when v_status <> 'complete' then st.active_agent
                    else coalesce(v_item->>'active_agent', st.active_agent) end,
                locked_at = clock_timestamp()
            where st.connection_id = s.connection_id;

            insert into deliveries (id, message_id, connection_id, part, body, buttons, answers)
            select (d->>'id')::uuid, (v_item->>'id')::uuid, s.connection_id, (d->>'part')::int, d->>'body', d->'buttons',
                m.provider_id
            from jsonb_array_elements(v_item->'deliveries') d order by (d->>'part')::int;

            -- it is no detail that the visitor gave, so it needs no consent; an erasure clears it
            update users u set language = v_item->>'language'
            where u.id = v_user and v_status = 'complete' and v_item->>'language' is not null;

            for v_number, v_effect in
                select e.n, e.effect from jsonb_array_elements(v_item->'effects') with ordinality e (effect, n)
                where v_status = 'complete' order by e.n
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
            'outcome', 'committed', 'session_ttl', s.session_ttl, 'locked_at', s.locked_at, 'turn', v_turn,
            'stopped', exists (select from messages r where r.id = (v_item->>'id')::uuid and r.status = 'stopped'));
    end loop;

    return query
    select r.value->>'outcome', (r.value->>'session_ttl')::int, (r.value->>'locked_at')::timestamptz,
        nullif(r.value->'turn', 'null'), (r.value->>'stopped')::boolean
    from unnest(v_results) with ordinality r (value, place) order by r.place;
end $$;

-- Makes a failed message pending again, with those that shared its turn, and forgets their reply. The caller has purged the
-- message's journal.
-- 'retried', 'unknown', or 'not_failed'.
create function retry_request(p_request uuid) returns text
language plpgsql volatile as $$
declare
    v_connection uuid;
    -- to which the reply was addressed
    v_last uuid;
    v_retried int;
begin
    select connection_id into v_connection from messages where id = p_request and direction = 'incoming';
    if not found then
        return 'unknown';
    end if;
    perform from conversation_states where connection_id = v_connection for update;
    select coalesce(answered_by, id) into v_last from messages where id = p_request and status = 'failed';
    if not found then
        return 'not_failed';
    end if;
    update messages
    set status = 'pending', error = null, attempts = 0, crashes = 0, retries = retries + 1, answered_by = null
    where status = 'failed' and (id = v_last or answered_by = v_last);
    get diagnostics v_retried = row_count;
    delete from deliveries d using messages m where m.id = d.message_id and m.reply_to = v_last;
    delete from messages where reply_to = v_last;
    update conversation_states
    set pending = pending + v_retried, run_at = case when pending = 0 then clock_timestamp() else run_at end
    where connection_id = v_connection;
    return 'retried';
end $$;
