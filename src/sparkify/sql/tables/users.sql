-- users: one row per user, as of their latest event.
-- user_id: The app's identifier of the user, as text.
-- first_name: The given name of the user.
-- last_name: The family name of the user.
-- gender: The gender of the user: F or M.
-- level: The subscription level at the latest event: free or paid. The view level_history has the earlier ones.
-- registered_at: The time at which the user registered, in UTC; null if the event has none.
-- last_seen_at: The time of the latest event, in UTC, to the millisecond.
-- last_session_id: The session of the latest event.
-- last_item_in_session: The position of the latest event in its session. Of events at one time, the highest position is
-- the latest.
create table if not exists users (
    user_id varchar(64),
    first_name varchar(256),
    last_name varchar(256),
    gender varchar(16),
    level varchar(16),
    registered_at timestamp,
    last_seen_at timestamp,
    last_session_id bigint,
    last_item_in_session bigint
)
-- @redshift diststyle auto sortkey (user_id)
