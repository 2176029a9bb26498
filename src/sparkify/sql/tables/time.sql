-- time: one row per moment at which something was played or viewed, in UTC.
create table if not exists time (
    start_time timestamp,
    hour integer,
    day integer,
    week integer,
    month integer,
    year integer,
    weekday integer
)
-- @redshift diststyle key distkey (start_time) sortkey (start_time)
