-- users: one row per user whose latest event is in the batch. Content decides between equally late events.
with seen as (
    select
        e.userId as user_id,
        e.firstName as first_name,
        e.lastName as last_name,
        e.gender,
        e.level,
        e.registered_at,
        e.start_time as last_seen_at,
        e.sessionId as last_session_id,
        e.itemInSession as last_item_in_session,
        -- PostgreSQL expects one row of the join below, and would look through all files for each user.
        -- @duckdb case when f.redelivered then e.file_id end
        -- @redshift case when f.redelivered then e.file_id end
        -- @postgresql case when e.file_id in (select file_id from staging_files where redelivered) then e.file_id end
        as redelivered_in,
        e.file_id,
        0 as is_known
    from staged_events as e
    join (select userId, max(ts) as ts from staging_events group by userId) as latest
        on latest.userId = e.userId and latest.ts = e.ts
    -- @duckdb join staging_files as f on f.file_id = e.file_id
    -- @redshift join staging_files as f on f.file_id = e.file_id
),
known as (
    select
        user_id, first_name, last_name, gender, level, registered_at, last_seen_at, last_session_id,
        last_item_in_session,
        cast(null as integer) as redelivered_in,
        -1 as file_id,
        1 as is_known
    from users
    where user_id in (select user_id from seen)
)
select
    user_id, first_name, last_name, gender, level, registered_at, last_seen_at, last_session_id, last_item_in_session
from (
    select
        preferred.*,
        row_number() over (
            partition by user_id
            order by
                last_seen_at desc, last_item_in_session desc, preference,
                level, first_name, last_name, gender, registered_at, last_session_id, is_known desc
        ) as recency
    from (
        select
            sightings.*,
            -- A redelivered file replaces earlier deliveries of the same event, which has the same session too.
            case
                when file_id >= coalesce(
                    max(redelivered_in) over (
                        partition by user_id, last_seen_at, last_item_in_session, last_session_id
                    ),
                    -1
                ) then 0
                else 1
            end as preference
        from (select * from seen union all select * from known) as sightings
    ) as preferred
) as ranked
where recency = 1 and is_known = 0
