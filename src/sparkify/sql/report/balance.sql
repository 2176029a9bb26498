-- balance: one row per kind of record: the outcome of the records that the last run read.
select
    'events' as kind,
    events_read as records_read,
    songplays,
    page_views,
    0 as songs,
    events_duplicate as duplicates,
    events_rejected as rejected
from etl_runs
where started_at = (select max(started_at) from etl_runs)
union all
select 'songs', songs_read, 0, 0, songs, songs_duplicate, songs_rejected
from etl_runs
where started_at = (select max(started_at) from etl_runs)
