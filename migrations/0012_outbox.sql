-- Emptying the outbox: which parts may be sent now, what became of each, and what providers tell of them later.
--
-- Whoever sends a part has claimed it: its status is 'sending', and next_at is the name of the claim as well as the time from
-- which nobody waits for its outcome any more. A part that is 'sending' or 'uncertain' after that is sent again; a status of the
-- provider's that comes before makes it sent.
--
-- Locks are taken in this order: a sender's row; connections; parts. A claim waits for no connection and no part.

-- What the workers have to agree on; durations as seconds.
create type delivery_rules as (
    -- how long the outcome of a send is waited for, how often a part is sent at most, and how often again for want of an outcome
    answer interval, max_attempts int, max_resends int,
    -- between two messages of a sender, and how far ahead they may be claimed
    every interval, ahead interval,
    -- between two messages to a recipient, and how many may come at once after a pause
    pair_every interval, pair_burst int,
    -- how long a sender stands still whose token was refused, and one that was too fast
    probe interval, slow interval,
    -- senders that ask for an answer by a template where the 24-hour window is over
    templates text[]
);

-- Claims what is due of the senders p_senders, p_free parts of each at most, none of p_held (which the caller is at). Of each
-- connection only the first unfinished part; spaced as the sender's rate and the recipient's pace have it. A sender that
-- stands still sends one part when its time is over, and goes on if that goes well. What may have been sent is claimed only by a
-- caller who would have heard of it (p_hears).
create function claim_deliveries(p_senders text[], p_free int[], p_held uuid[], p_hears boolean, p_rules jsonb)
returns table (
    id uuid, connection_id uuid, claim timestamptz, wait double precision, body text, buttons jsonb, answers text, address jsonb,
    last_written_at timestamptz, template boolean, attempts int, resent boolean, given_up boolean, more boolean)
language plpgsql volatile as $$
declare
    r delivery_rules := jsonb_populate_record(null::delivery_rules, p_rules);
    s senders;
    v_sender text;
    v_free int;
    v_most int;
    v_now timestamptz;
    v_slot timestamptz;
    v_due record;
begin
    if not exists (
        select from deliveries d
        where d.status in ('queued', 'sending', 'uncertain') and d.next_at <= clock_timestamp()) then
        return;
    end if;
    for v_sender, v_free in
        select u.sender, u.free from unnest(p_senders, p_free) u (sender, free) where u.free > 0 order by u.sender
    loop
        insert into senders (name) values (v_sender) on conflict do nothing;
        select * into strict s from senders where name = v_sender for update;
        v_now := clock_timestamp();
        continue when s.stopped_until > v_now;
        v_slot := greatest(s.paced_until, v_now);
        v_most := least(
            v_free,
            case when s.stopped_code is not null then 1 end,
            ceil(extract(epoch from v_now + r.ahead - v_slot) / extract(epoch from r.every)));
        continue when v_most <= 0;
        for v_due in
            select d.*, c.address, c.last_written_at, c.paced_until from deliveries d join connections c on c.id = d.connection_id
            where d.status in ('queued', 'sending', 'uncertain') and d.next_at <= v_now and d.id <> all (p_held)
                -- PostgreSQL's own absence does not count, nor that of the way to us: the outcome may be on its way
                and (d.status = 'queued' or p_hears and pg_postmaster_start_time() + r.answer < v_now)
                and c.address->>'provider' = split_part(v_sender, ':', 1)
                and c.address->>'sender' = substr(v_sender, strpos(v_sender, ':') + 1)
                and (c.paced_until is null or c.paced_until <= v_now + r.pair_every * (r.pair_burst - 1))
                and not exists (
                    select from deliveries e
                    where e.connection_id = d.connection_id and e.position < d.position
                        and e.status in ('queued', 'sending', 'uncertain', 'held'))
            order by d.next_at, d.position limit v_most
            for no key update of d, c skip locked
        loop
            id := v_due.id;
            connection_id := v_due.connection_id;
            body := v_due.body;
            buttons := v_due.buttons;
            answers := v_due.answers;
            address := v_due.address;
            last_written_at := v_due.last_written_at;
            template := v_due.error is not distinct from 'template';
            resent := v_due.status <> 'queued';
            given_up := v_due.attempts >= r.max_attempts or resent and v_due.resends >= r.max_resends;
            attempts := v_due.attempts + 1;
            more := exists (
                select from deliveries e
                where e.connection_id = v_due.connection_id and e.position > v_due.position and e.status = 'queued');
            if given_up then
                claim := v_now;
                wait := 0;
                update deliveries d set status = 'failed', error = 'unconfirmed' where d.id = v_due.id;
            else
                claim := v_slot + r.answer;
                wait := extract(epoch from v_slot - v_now);
                update deliveries d
                set status = 'sending', attempts = d.attempts + 1, resends = d.resends + resent::int, claimed_at = v_now,
                    next_at = v_slot + r.answer
                where d.id = v_due.id;
                update connections c set paced_until = greatest(c.paced_until, v_now) + r.pair_every
                where c.id = v_due.connection_id;
                v_slot := v_slot + r.every;
            end if;
            return next;
        end loop;
        update senders
        set paced_until = v_slot, stopped_until = case when stopped_code is not null then v_now + r.probe end
        where name = v_sender and paced_until < v_slot and v_slot > v_now;
    end loop;
end $$;

-- Whether the visitor has written since the part was claimed, so that the intake did not find it among those that are held. The
-- caller has locked part and connection.
create function has_written_since(d deliveries) returns boolean
language sql volatile as $$
    select c.last_seen_at > d.claimed_at from connections c where c.id = d.connection_id
$$;

-- What a provider's refusal makes of a part that the caller has locked, together with its connection where p_verdict is
-- 'recipient_waits' or 'window_closed', or the part a template. Returns the part's new status.
create function refuse_delivery(d deliveries, p_verdict text, p_code text, p_wait interval, p_rules jsonb)
returns text
language plpgsql volatile as $$
declare
    r delivery_rules := jsonb_populate_record(null::delivery_rules, p_rules);
    v_template boolean := d.error is not distinct from 'template';
    v_sender text;
    v_status text;
    v_error text := p_code;
begin
    select concat(c.address->>'provider', ':', c.address->>'sender') into v_sender from connections c where c.id = d.connection_id;
    case p_verdict
        when 'token_refused' then
            v_status := 'queued';
            insert into senders (name, stopped_until, stopped_code) values (v_sender, clock_timestamp() + r.probe, p_code)
            on conflict (name) do update set stopped_until = excluded.stopped_until, stopped_code = excluded.stopped_code;
        when 'window_closed' then
            v_status := 'held';
            if not v_template and d.attempts < r.max_attempts and has_written_since(d) then
                v_status := 'queued';
            elsif v_sender = any (r.templates) and not v_template then
                v_status := 'queued';
                v_error := 'template';
            end if;
        when 'final' then
            v_status := 'failed';
        when 'back_off', 'sender_waits', 'recipient_waits' then
            v_status := case when d.attempts < r.max_attempts then 'queued' else 'failed' end;
            if p_verdict = 'sender_waits' then
                update senders set paced_until = greatest(paced_until, clock_timestamp() + r.slow) where name = v_sender;
            elsif p_verdict = 'recipient_waits' then
                -- whatever we thought to have to spare is spent
                update connections set paced_until = greatest(paced_until, clock_timestamp() + r.pair_every * r.pair_burst)
                where id = d.connection_id;
            end if;
    end case;
    if v_template then
        -- the text itself goes on waiting
        if v_status in ('failed', 'held') then
            v_status := case when has_written_since(d) then 'queued' else 'held' end;
            v_error := case v_status when 'held' then p_code end;
        elsif v_status = 'queued' then
            v_error := 'template';
        end if;
    end if;
    update deliveries
    set status = v_status, error = v_error, attempts = attempts - (p_verdict = 'token_refused')::int,
        next_at = clock_timestamp()
            + case
                when p_verdict = 'token_refused' or v_error is not distinct from 'template' and not v_template
                then interval '0' else p_wait end
    where id = d.id;
    return v_status;
end $$;

-- Stores what became of the claim p_claim of a part: p_verdict is 'accepted', 'uncertain', or why it was refused.
-- p_answered: the provider has looked at it, so that its token is good unless it says otherwise.
-- Returns the part's new status; null where the claim is over, because a status or another worker was faster.
create function settle_delivery(
    p_id uuid, p_claim timestamptz, p_sender text, p_verdict text, p_code text, p_provider_id text, p_wait interval,
    p_answered boolean, p_rules jsonb)
returns text
language plpgsql volatile as $$
declare
    d deliveries;
    v_status text;
    v_provider_id text;
begin
    if p_answered and p_verdict <> 'token_refused' then
        update senders set stopped_until = null, stopped_code = null where name = p_sender and stopped_code is not null;
    end if;
    if p_verdict = 'window_closed' and not p_answered then
        -- nothing was asked of the provider: the next part is sent to find out
        update senders set stopped_until = clock_timestamp() where name = p_sender and stopped_code is not null;
    end if;
    if p_verdict in ('sender_waits', 'token_refused') then
        perform from senders where name = p_sender for update;
    end if;
    perform from connections c
    where c.id = (
        select p.connection_id from deliveries p
        where p.id = p_id and (p_verdict in ('recipient_waits', 'window_closed') or p.error = 'template'))
    for no key update;
    select * into d from deliveries where id = p_id for update;
    if not found then
        return null;
    end if;
    v_provider_id := (select p_provider_id where not exists (select from deliveries where provider_id = p_provider_id));
    if d.status <> 'sending' or d.next_at <> p_claim then
        -- What was accepted was accepted, also where we had given up hope.
        if p_verdict = 'accepted' and d.error is distinct from 'template' then
            update deliveries
            set provider_id = coalesce(provider_id, v_provider_id),
                status = case
                    when status = 'uncertain' or status = 'queued' and provider_id is null then 'sent' else status end,
                sent_at = coalesce(sent_at, clock_timestamp())
            where id = p_id;
        end if;
        return null;
    end if;
    if p_verdict not in ('accepted', 'uncertain') then
        return refuse_delivery(d, p_verdict, p_code, p_wait, p_rules);
    elsif d.error is not distinct from 'template' then
        -- It has no name that a status would have to be found by; if it got lost, the text still waits for the visitor.
        v_status := case when has_written_since(d) then 'queued' else 'held' end;
        update deliveries
        set status = v_status, error = case v_status when 'held' then 'template_sent' end, next_at = clock_timestamp()
        where id = p_id;
    elsif p_verdict = 'accepted' then
        update deliveries
        set status = 'sent', provider_id = coalesce(v_provider_id, provider_id), sent_at = clock_timestamp(), error = null
        where id = p_id returning status into v_status;
    else
        update deliveries set status = 'uncertain', error = p_code, next_at = clock_timestamp() + p_wait
        where id = p_id returning status into v_status;
    end if;
    return v_status;
end $$;

-- Applies what providers tell: items {delivery, provider_id, state, at, verdict, code, waits}, of any order and more than once;
-- waits are the seconds until a part is sent again, by the number of times that it was.
-- State only moves forward. One row an item, in their order: 'applied', 'old', or 'unknown'; with the part and its status.
create function apply_statuses(p_batch jsonb, p_rules jsonb)
returns table (outcome text, id uuid, status text)
language plpgsql volatile as $$
declare
    v_item jsonb;
    v_parts uuid[];
    d deliveries;
    v_state text;
    v_provider_id text;
    v_fresh boolean;
begin
    v_parts := array(
        select p.id from deliveries p
        where p.id in (select (i->>'delivery')::uuid from jsonb_array_elements(p_batch) i)
            or p.provider_id in (select i->>'provider_id' from jsonb_array_elements(p_batch) i));
    if exists (select from jsonb_array_elements(p_batch) i where i->>'verdict' in ('sender_waits', 'token_refused')) then
        perform from senders s order by s.name for update;
    end if;
    if exists (select from jsonb_array_elements(p_batch) i where i->>'verdict' in ('recipient_waits', 'window_closed')) then
        perform from connections c where c.id in (select p.connection_id from deliveries p where p.id = any (v_parts))
        order by c.id for no key update;
    end if;
    perform from deliveries p where p.id = any (v_parts) order by p.id for update;

    for v_item in select i.value from jsonb_array_elements(p_batch) with ordinality i (value, place) order by i.place
    loop
        id := null;
        status := null;
        outcome := 'unknown';
        select * into d from deliveries p where p.id = (v_item->>'delivery')::uuid;
        if not found then
            select * into d from deliveries p where p.provider_id = v_item->>'provider_id';
        end if;
        if found then
            id := d.id;
            status := d.status;
            outcome := 'old';
            v_state := v_item->>'state';
            v_provider_id := v_item->>'provider_id';
            -- about the present send, and not about one before it, which failed
            v_fresh := d.provider_id is distinct from v_provider_id;
            if (case v_state
                when 'sent' then d.status in ('queued', 'sending', 'uncertain') and v_fresh
                    or d.status = 'failed' and d.error = 'unconfirmed'
                when 'delivered' then d.status not in ('delivered', 'read')
                when 'read' then d.status <> 'read'
            end) then
                update deliveries p
                set status = v_state, sent_at = coalesce(p.sent_at, (v_item->>'at')::timestamptz), error = null,
                    provider_id = case
                        when exists (select from deliveries o where o.provider_id = v_provider_id) then p.provider_id
                        else v_provider_id
                    end
                where p.id = d.id;
                outcome := 'applied';
                status := v_state;
            elsif v_state = 'failed' and (
                d.status in ('sending', 'uncertain') and v_fresh
                or d.status = 'sent' and (d.provider_id is null or not v_fresh)
            ) then
                if not exists (select from deliveries o where o.provider_id = v_provider_id) then
                    update deliveries p set provider_id = v_provider_id where p.id = d.id;
                end if;
                outcome := 'applied';
                status := refuse_delivery(
                    d, v_item->>'verdict', v_item->>'code',
                    make_interval(secs => coalesce((v_item->'waits'->>(d.attempts - 1))::double precision, 0)), p_rules);
            end if;
        end if;
        return next;
    end loop;
end $$;
