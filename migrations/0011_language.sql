-- The visitor's language is kept with the user, so that a session that begins anew is answered in it. It is no detail that the
-- visitor gave, so it needs no consent; an erasure clears it like all else (erase_user).

-- Stores the replies of a batch of turns with everything that follows from them, each fenced by owner and epoch.
-- One row a reply, in the order of the batch: 'committed', or 'lost' where the session is another's by now; with the next
-- turn where one waits and the item asks for it ("continue"). A whole reply to a request that was asked to stop before this
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
        v_status := case
            when v_item->>'status' = 'complete' and is_stopped(s, m) and not (v_item->>'final_said')::boolean then 'stopped'
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
