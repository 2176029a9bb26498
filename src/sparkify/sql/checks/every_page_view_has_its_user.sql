-- every_page_view_has_its_user: one row per page view whose user_id is not in users.
select f.page_view_id, f.user_id
from page_views as f
where
    f.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
    and f.user_id is not null
    and not exists (select 1 from users as d where d.user_id = f.user_id)
