-- etl_files: one row per loaded file, in the version last loaded. It is the ledger of what has been loaded.
-- source: The kind of the file's records: events or songs.
-- path: The path of the file on disk, or its s3:// URL.
-- version: The version of the file's content: its ETag in S3; on disk or without ETags, its size and modification time.
-- size: The size of the file as stored, in bytes.
-- run_id: The run that loaded the file.
-- loaded_at: The time at which the file was loaded, in UTC.
-- read: The number of records read from the file: the sum of the columns that follow.
-- songplays: The number of events that became plays.
-- page_views: The number of events that became page views.
-- songs: The number of song records that added or changed a song.
-- duplicates: The number of records that changed nothing.
-- rejected: The number of rejected records.
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
