-- users: one row per user with a play, as of their last play.
select
    userId as user_id, arg_max(firstName, ts) as first_name, arg_max(lastName, ts) as last_name,
    arg_max(gender, ts) as gender, arg_max(level, ts) as level
from {{ ref("plays") }}
group by userId
