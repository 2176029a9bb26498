-- freshness: one row: from when to when the warehouse holds events, and when it was loaded last.
-- oldest_event_at: The first event of all, in UTC.
-- newest_event_at: The last event of all, in UTC: what happened later is not here yet.
-- newest_play_at: The last play of all, in UTC.
-- last_loaded_at: When a file was loaded last, in UTC, by the clock of the machine that loaded it.
-- files: Files loaded.
-- rejected: Records refused, of all files loaded.
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
