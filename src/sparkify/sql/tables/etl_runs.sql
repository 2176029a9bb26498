-- etl_runs: one row per run that published something.
-- run_id: When the run began, and six characters by chance.
-- started_at: When the run began, in UTC.
-- finished_at: When its last batch was published, in UTC.
-- files: Files loaded.
-- bytes: Their size.
-- events_read: Events read: songplays + page_views + events_duplicate + events_rejected.
-- songplays: Events that became plays.
-- page_views: Events that became page views.
-- events_duplicate: Events that changed nothing.
-- events_rejected: Events refused.
-- songs_read: Song records read: songs + songs_duplicate + songs_rejected.
-- songs: Song records that added or changed a song.
-- songs_duplicate: Song records that changed nothing.
-- songs_rejected: Song records refused.
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
