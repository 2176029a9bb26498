-- every_page_view_has_its_user: one row per page view whose user_id is not in users.
select f.page_view_id, f.user_id
from page_views as f
left join users as d on d.user_id = f.user_id
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and f.user_id is not null
    and d.user_id is null
