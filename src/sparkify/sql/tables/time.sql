-- time: one row per moment at which something was played or viewed, in UTC.
-- start_time: The moment, in UTC, to the millisecond.
-- hour: 0 to 23.
-- day: Day of the month, 1 to 31.
-- week: Week of the year by ISO 8601, 1 to 53.
-- month: 1 to 12.
-- year: The year.
-- weekday: 0 = Sunday to 6 = Saturday.
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
