-- etl_runs: one row per run that published something.
-- run_id: The identifier of the run: its start time in UTC, and six random hexadecimal digits.
-- started_at: The time at which the run began, in UTC.
-- finished_at: The time at which the run's last batch was published, in UTC.
-- files: The number of files loaded.
-- bytes: The total size of those files as stored, in bytes.
-- events_read: The number of events read: songplays + page_views + events_duplicate + events_rejected.
-- songplays: The number of events that became plays.
-- page_views: The number of events that became page views.
-- events_duplicate: The number of events that changed nothing.
-- events_rejected: The number of rejected events.
-- songs_read: The number of song records read: songs + songs_duplicate + songs_rejected.
-- songs: The number of song records that added or changed a song.
-- songs_duplicate: The number of song records that changed nothing.
-- songs_rejected: The number of rejected song records.
-- layout: The version of the tables.
-- contract: The version of the rules by which records were judged, with the settings of [CONTRACT].
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
    songs_rejected bigint,
    layout bigint,
    contract varchar(4096)
)
