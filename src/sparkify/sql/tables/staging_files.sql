-- staging_files: one row per file of the current batch, with the number of its records.
-- On DuckDB it is temporary, unless the run has the option --keep-staging.
-- file_id: The number of the file in the batch.
-- source: The kind of the file's records: events or songs.
-- path: The path of the file on disk, or its s3:// URL.
-- version: The version of the file's content: its ETag in S3; on disk or without ETags, its size and modification time.
-- size: The size of the file as stored, in bytes.
-- redelivered: Whether an earlier version of the file has been loaded.
-- read: The number of records read from the file.
create
-- @duckdb temp
-- @postgresql unlogged
table if not exists staging_files (
    file_id integer,
    source varchar(8),
    path varchar(4096),
    version varchar(128),
    size bigint,
    redelivered boolean,
    read bigint
)
-- @redshift diststyle all
