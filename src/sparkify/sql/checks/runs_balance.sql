-- runs_balance: one row per run with records that are not accounted for.
select
    run_id, events_read, songplays, page_views, events_duplicate, events_rejected,
    songs_read, songs, songs_duplicate, songs_rejected
from etl_runs
where
    events_read <> songplays + page_views + events_duplicate + events_rejected
    or songs_read <> songs + songs_duplicate + songs_rejected
