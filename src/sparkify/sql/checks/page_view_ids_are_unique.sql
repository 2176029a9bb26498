-- page_view_ids_are_unique: one row per page_view_id that is null or occurs more than once.
select page_view_id, count(*) as times
from page_views
where start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
group by page_view_id
having count(*) > 1 or page_view_id is null
