-- contested_keys: one row per event key on which batch and warehouse differ, or that is new and repeated in the batch.
select ts, sessionId, itemInSession, userId, is_play, event_id
from known_events
where differs
union
select ts, sessionId, itemInSession, userId, is_play, event_id
from (
    select ts, sessionId, itemInSession, userId, is_play, event_id
    from staged_events
    where exists (
        select 1
        from (select ts, sessionId from staging_events group by ts, sessionId having count(*) > 1) as repeated
        where repeated.ts = staged_events.ts and repeated.sessionId = staged_events.sessionId
    )
    group by ts, sessionId, itemInSession, userId, is_play, event_id
    having count(*) > 1
    -- PostgreSQL would run "where not exists" row by row, since it expects few repeated keys.
    except
    select ts, sessionId, itemInSession, userId, is_play, event_id
    from known_events
) as repeated_keys
