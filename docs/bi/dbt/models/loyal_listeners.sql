-- loyal_listeners: one row per user with sessions in at least three weeks.
select user_id, count(distinct date_trunc('week', started_at)) as weeks, count(*) as sessions, sum(plays) as plays
from {{ source('sparkify', 'sessions') }}
group by user_id
having count(distinct date_trunc('week', started_at)) >= 3
