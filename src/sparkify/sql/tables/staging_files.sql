-- staging_files: one row per file of the batch, and how many records were found in it.
-- On DuckDB it lasts no longer than the run, unless that was told to --keep-staging.
-- file_id: Its number in the batch.
-- source: events or songs.
-- path: Where the file is.
-- version: What tells whether it changed.
-- size: In bytes.
-- redelivered: Whether an earlier version has been loaded.
-- read: Records found in it.
create
-- @duckdb temp
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
