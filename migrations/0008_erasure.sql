-- Erasing what is known of a user.

-- Erases the messages, sessions and personal data of a user; nothing that is in the queue up to p_seq will be taken in. The
-- state rows stay, under a new epoch, so that whoever runs a session of the user stores nothing more.
-- One row a session: its new epoch, whether a worker ran it, and the requests that wait for a reply in vain.
create function erase_user(p_user uuid, p_seq bigint)
returns table (session uuid, epoch bigint, ran boolean, requests uuid[])
language plpgsql volatile as $$
begin
    perform from conversation_states s join connections c on c.id = s.connection_id
    where c.user_id = p_user order by s.connection_id for update of s;
    perform from users where id = p_user for no key update;

    return query
    select s.connection_id, s.lease_epoch + 1, s.lease_owner is not null,
        array(select m.id from messages m where m.connection_id = s.connection_id and m.status = 'pending')
    from conversation_states s join connections c on c.id = s.connection_id
    where c.user_id = p_user;

    delete from deliveries d using messages m where m.id = d.message_id and m.user_id = p_user;
    delete from messages m where m.user_id = p_user;
    delete from consultations co where co.user_id = p_user;
    delete from consents ct where ct.user_id = p_user;
    update users set name = null, language = null where id = p_user;
    update conversation_states s
    set active_agent = null, locked_at = null, state = '{}', pending = 0, lease_owner = null, lease_expires_at = null,
        lease_epoch = s.lease_epoch + 1, session_start = s.next_number, erased_seq = greatest(s.erased_seq, p_seq)
    from connections c where c.id = s.connection_id and c.user_id = p_user;
end $$;
