-- rejected_records: one row per rejected record, with its origin, the reason and its text.
-- source: The kind of record: events or songs.
-- file: The path or s3:// URL of the file that contains the record; null if a later run rejected a loaded record.
-- line: The line on which the record begins, counted from 1; null if unknown, as for contradictions.
-- reason: The reason for the rejection.
-- record: The text of the record, for a contradiction rebuilt from its columns; on Redshift, text of more than 64,000
-- bytes is shortened.
-- run_id: The run that rejected the record.
create table if not exists rejected_records (
    source varchar(8),
    file varchar(4096),
    line bigint,
    reason varchar(256),
    record
    -- @duckdb varchar
    -- @postgresql text
    -- @redshift varchar(65535)
    ,
    run_id varchar(40)
)
