-- freshness: one row: the period of all loaded events, and the time of the last load.
-- oldest_event_at: The time of the first event, in UTC; null if there is none.
-- newest_event_at: The time of the last event, in UTC; null if there is none. Later events are not loaded yet.
-- newest_play_at: The time of the last play, in UTC; null if there is none.
-- last_loaded_at: The time of the last load, in UTC, by the clock of the machine that ran it; null if there is none.
-- files: The number of loaded files.
-- rejected: The number of rejected records in those files.
-- @period none
select
    events.oldest_event_at,
    events.newest_event_at,
    plays.newest_play_at,
    loads.last_loaded_at,
    loads.files,
    loads.rejected
from (select min(start_time) as oldest_event_at, max(start_time) as newest_event_at from time) as events
cross join (select max(start_time) as newest_play_at from songplays) as plays
cross join (
    select max(loaded_at) as last_loaded_at, count(*) as files, cast(coalesce(sum(rejected), 0) as bigint) as rejected
    from etl_files
) as loads
