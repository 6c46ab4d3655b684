-- A dead worker's sessions are taken only where it has not given a sign of life since it was found to be silent.

drop function claim_due;

-- Leases up to p_limit sessions that have work and that nobody runs, or whose owner is one of p_silent, and begins their turns.
-- Those of p_silent heard nothing at p_silent_at, and at least once after it. One that was only cut off renews its leases when
-- it is back, before it says anything: what was renewed since p_silent_at (leases of all workers are p_lease long) stays its own.
create function claim_due(
    p_worker uuid, p_held uuid[], p_lease interval, p_limit int, p_silent uuid[], p_silent_at timestamptz)
returns setof jsonb
language plpgsql volatile as $$
declare
    v_connection uuid;
    v_crashed boolean;
begin
    for v_connection, v_crashed in
        select s.connection_id, s.lease_owner is not null and s.lease_owner <> p_worker from conversation_states s
        where s.pending > 0
            and (s.run_at <= now() and may_lease(s, p_worker, p_held, p_lease)
                or s.lease_owner = any (p_silent) and s.lease_expires_at - p_lease < p_silent_at)
        order by s.run_at limit p_limit
        for update skip locked
    loop
        update conversation_states
        set lease_owner = p_worker, lease_epoch = lease_epoch + 1, lease_expires_at = clock_timestamp() + p_lease
        where connection_id = v_connection;
        return next begin_turn(v_connection, false, v_crashed);
    end loop;
end $$;
