-- staging_rejects: one row per rejected record of the current batch.
-- On DuckDB it is temporary, unless the run has the option --keep-staging.
-- file_id: The file that contains the record, in staging_files.
-- line: The line on which the record begins, counted from 1; null if unknown, as for contradictions.
-- reason: The reason for the rejection.
-- record: The text of the record; on Redshift, text of more than 64,000 bytes is shortened.
create
-- @duckdb temp
-- @postgresql unlogged
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
