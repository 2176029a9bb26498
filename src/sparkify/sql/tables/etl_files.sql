-- etl_files: one row per file loaded, in the version last loaded: the ledger.
-- source: events or songs.
-- path: Where the file is.
-- version: What tells whether it changed: the ETag in S3, size and time of change on disk.
-- size: In bytes.
-- run_id: The run that loaded it.
-- loaded_at: When, in UTC.
-- read: Records read from it: the sum of the columns below.
-- songplays: Records that became plays.
-- page_views: Records that became page views.
-- songs: Song records that added or changed a song.
-- duplicates: Records that changed nothing.
-- rejected: Records refused.
create table if not exists etl_files (
    source varchar(8),
    path varchar(4096),
    version varchar(128),
    size bigint,
    run_id varchar(40),
    loaded_at timestamp,
    read bigint,
    songplays bigint,
    page_views bigint,
    songs bigint,
    duplicates bigint,
    rejected bigint
)
