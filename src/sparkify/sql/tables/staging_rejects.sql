-- staging_rejects: one row per record of the batch that breaks the contract.
-- On DuckDB it lasts no longer than the run, unless that was told to --keep-staging.
-- file_id: The file it stands in, in staging_files.
-- line: The line it begins on, from 1.
-- reason: Why it was refused.
-- record: Its text.
create
-- @duckdb temp
table if not exists staging_rejects (
    file_id integer,
    line bigint,
    reason varchar(256),
    record
    -- @duckdb varchar
    -- @postgresql text
    -- @redshift varchar(65535)
)
-- @redshift diststyle even
