-- staging_events: one row per accepted event of the batch, under the source's own names.
create
-- @duckdb temp
table if not exists staging_events (
    artist varchar(512),
    auth varchar(32),
    firstName varchar(256),
    gender varchar(16),
    itemInSession bigint,
    lastName varchar(256),
    length double precision,
    level varchar(16),
    location varchar(512),
    method varchar(16),
    page varchar(64),
    registration bigint,
    sessionId bigint,
    song varchar(512),
    status bigint,
    ts bigint,
    userAgent varchar(1024),
    userId varchar(64),
    -- @redshift length_text varchar(32),
    file_id integer,
    duplicate boolean
)
-- @redshift diststyle even
