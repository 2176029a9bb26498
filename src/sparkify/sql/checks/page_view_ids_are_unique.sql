-- page_view_ids_are_unique: one row per page_view_id that is null or occurs more than once.
select page_view_id, count(*) as times
from page_views
where start_time between (select first_time from checked_period) and (select last_time from checked_period)
group by page_view_id
having count(*) > 1 or page_view_id is null
