-- Running a failed message again.

-- what an operator lists
create index messages_failed on messages (created_at) where status = 'failed' and direction = 'incoming';

-- Makes a failed message pending again, and forgets its reply. The caller has purged the message's journal.
-- 'retried', 'unknown', or 'not_failed'.
create function retry_request(p_request uuid) returns text
language plpgsql volatile as $$
declare
    v_connection uuid;
begin
    select connection_id into v_connection from messages where id = p_request and direction = 'incoming';
    if not found then
        return 'unknown';
    end if;
    perform from conversation_states where connection_id = v_connection for update;
    update messages set status = 'pending', error = null, attempts = 0, crashes = 0, retries = retries + 1
    where id = p_request and status = 'failed';
    if not found then
        return 'not_failed';
    end if;
    delete from messages where reply_to = p_request;
    update conversation_states
    set pending = pending + 1, run_at = case when pending = 0 then clock_timestamp() else run_at end
    where connection_id = v_connection;
    return 'retried';
end $$;
