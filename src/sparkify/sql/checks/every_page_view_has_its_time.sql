-- every_page_view_has_its_time: one row per page view whose start_time is not in time.
-- Only times are compared, and keys are read for the offending rows alone.
with missing as (
    select f.start_time
    from page_views as f
    left join (
        select start_time
        from time
        where start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
    ) as d on d.start_time = f.start_time
    where
        f.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
        and d.start_time is null
)
select page_view_id, start_time
from page_views
where
    start_time in (select start_time from missing)
    and start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
