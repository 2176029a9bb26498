-- every_page_view_has_its_time: one row per page view whose start_time is not in time, or missing.
select f.page_view_id, f.start_time
from page_views as f
left join time as d on d.start_time = f.start_time
where
    (
        f.start_time is null
        or f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    )
    and d.start_time is null
