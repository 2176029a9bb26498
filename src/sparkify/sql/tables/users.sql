-- users: one row per user, as of their latest event.
-- user_id: The app's number for the user, as text.
-- first_name: Given name.
-- last_name: Family name.
-- gender: F or M, as the app has it.
-- level: The subscription at the latest event: free or paid. level_history has the earlier ones.
-- registered_at: When the user signed up, in UTC.
-- last_seen_at: The time of the latest event, in UTC.
-- last_session_id: The session of the latest event.
-- last_item_in_session: Its place in that session; of two events at one time, the one with the higher place is later.
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
-- @redshift diststyle all sortkey (user_id)
