-- staging_rejects: one row per record of the batch that breaks the contract.
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
