-- rejected_records: one row per record refused, with where it stands, why, and its text.
-- source: events or songs.
-- file: The file it stands in.
-- line: The line it begins on, from 1.
-- reason: Why it was refused.
-- record: Its text.
-- run_id: The run that refused it.
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
