-- every_page_view_has_its_time: one row per page view whose start_time is not in time, or missing.
select f.page_view_id, f.start_time
from page_views as f
where
    (
        f.start_time is null
        or f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    )
    and not exists (select 1 from time as d where d.start_time = f.start_time)
