-- etl_runs: one row per run that published something.
create table if not exists etl_runs (
    run_id varchar(40),
    started_at timestamp,
    finished_at timestamp,
    files bigint,
    bytes bigint,
    events_read bigint,
    songplays bigint,
    page_views bigint,
    events_duplicate bigint,
    events_rejected bigint,
    songs_read bigint,
    songs bigint,
    songs_duplicate bigint,
    songs_rejected bigint
)
