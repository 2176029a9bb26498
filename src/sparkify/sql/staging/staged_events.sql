-- staged_events: one row per accepted event of the batch, with its key and its time.
select
    -- The portable forms take DuckDB 0.3 s longer for a million plays, of 1.5 s.
    -- @duckdb concat_ws('-', ts, sessionId, itemInSession, coalesce(userId, ''))
    -- @postgresql concat_ws('-', ts, sessionId, itemInSession, coalesce(userId, ''))
    -- @redshift cast(ts as varchar) || '-' || cast(sessionId as varchar) || '-' || cast(itemInSession as varchar)
    -- @redshift || '-' || coalesce(userId, '')
    as event_id,
    -- @duckdb epoch_ms(ts)
    -- @postgresql timestamp '1970-01-01 00:00:00' + floor(ts / 1000.0) * interval '1 second'
    -- @postgresql + (ts % 1000) * interval '1 millisecond'
    -- @redshift timestamp '1970-01-01 00:00:00' + floor(ts / 1000.0) * interval '1 second'
    -- @redshift + (ts % 1000) * interval '1 millisecond'
    as start_time,
    page = 'NextSong' as is_play,
    staging_events.*
from staging_events
