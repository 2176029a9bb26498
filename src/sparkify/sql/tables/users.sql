-- users: one row per user, as of their latest event.
create table if not exists users (
    user_id varchar(64),
    first_name varchar(256),
    last_name varchar(256),
    gender varchar(16),
    level varchar(16),
    registered_at timestamp,
    last_seen_at timestamp
)
-- @redshift diststyle all sortkey (user_id)
