-- daily_page_errors: one row per day with a page view: how many page views ended in an error.
-- An error is a status of 400 or more. Plays do not count: the warehouse does not keep their status.
-- day: The day, in UTC.
-- page_views: The number of page views.
-- errors: The number of page views that ended in an error.
-- users: The number of users who met an error; logged-out users do not count.
-- error_rate: errors / page_views.
-- @period day
select
    cast(start_time as date) as day,
    count(*) as page_views,
    count(case when status >= 400 then 1 end) as errors,
    count(distinct case when status >= 400 then user_id end) as users,
    cast(count(case when status >= 400 then 1 end) as double precision) / count(*) as error_rate
from page_views
group by cast(start_time as date)
