-- staged_events: one row per accepted event of the batch, with its key and its time.
select
    cast(ts as varchar) || '-' || cast(sessionId as varchar) || '-' || cast(itemInSession as varchar)
        || '-' || coalesce(userId, '') as event_id,
    timestamp '1970-01-01 00:00:00' + floor(ts / 1000.0) * interval '1 second'
        + (ts % 1000) * interval '1 millisecond' as start_time,
    page = 'NextSong' as is_play,
    staging_events.*
from staging_events
