-- page_errors: one row per day with a page view, and how many of its pages ended in an error.
-- An error is a status of 400 or more. Plays are not pages: the logs give them a status too, the warehouse does not.
-- day: The day, in UTC.
-- page_views: Pages asked for.
-- errors: Those that ended in an error.
-- users: Users who met one; who was logged out is not among them.
-- error_rate: errors / page_views.
select
    cast(start_time as date) as day,
    count(*) as page_views,
    count(case when status >= 400 then 1 end) as errors,
    count(distinct case when status >= 400 then user_id end) as users,
    cast(count(case when status >= 400 then 1 end) as double precision) / count(*) as error_rate
from page_views
group by cast(start_time as date)
