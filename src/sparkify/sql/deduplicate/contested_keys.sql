-- contested_keys: one row per event key on which batch and warehouse differ, or that is new and repeated in the batch.
select ts, sessionId, itemInSession, userId, is_play, event_id
from known_events
where differs
union
select ts, sessionId, itemInSession, userId, is_play, event_id
from (
    select e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id
    from staged_events as e
    join (
        select ts, sessionId from staging_events group by ts, sessionId having count(*) > 1
    ) as repeated on repeated.ts = e.ts and repeated.sessionId = e.sessionId
    group by e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id
    having count(*) > 1
    -- PostgreSQL would run "where not exists" row by row, since it expects few repeated keys.
    except
    select ts, sessionId, itemInSession, userId, is_play, event_id
    from known_events
) as repeated_keys
