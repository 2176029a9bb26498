-- rejected_records: one row per record refused, with where it stands, why, and its text.
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
