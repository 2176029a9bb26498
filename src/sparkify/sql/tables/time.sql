-- time: one row per moment at which a play or a page view happened.
-- start_time: The moment, in UTC, to the millisecond.
-- hour: The hour of the day, 0 to 23.
-- day: The day of the month, 1 to 31.
-- week: The week of the year by ISO 8601, 1 to 53.
-- month: The month of the year, 1 to 12.
-- year: The calendar year.
-- weekday: The day of the week, from 0 (Sunday) to 6 (Saturday).
create table if not exists time (
    start_time timestamp not null,
    hour integer,
    day integer,
    week integer,
    month integer,
    year integer,
    weekday integer
)
-- @redshift diststyle key distkey (start_time) sortkey (start_time)
