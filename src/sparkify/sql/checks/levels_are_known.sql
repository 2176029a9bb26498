-- levels_are_known: one row per event or user whose level is neither free nor paid.
select 'songplays' as found_in, songplay_id as found_at, level
from songplays
where
    start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and level not in ('free', 'paid')
union all
select 'page_views', page_view_id, level
from page_views
where
    start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and level not in ('free', 'paid')
union all
select 'users', user_id, level
from users
where level not in ('free', 'paid')
