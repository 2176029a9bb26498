-- users: one row per user whom the batch saw later than the warehouse had, or as late and first in order.
with seen as (
    select
        e.userId as user_id,
        e.firstName as first_name,
        e.lastName as last_name,
        e.gender,
        e.level,
        case when e.registration is not null then
            timestamp '1970-01-01 00:00:00' + floor(e.registration / 1000.0) * interval '1 second'
                + (e.registration % 1000) * interval '1 millisecond'
        end as registered_at,
        e.start_time as last_seen_at,
        e.itemInSession as item_in_session,
        e.sessionId as session_id,
        case when f.redelivered then e.file_id end as redelivered_in,
        e.file_id,
        0 as is_known
    from staged_events as e
    join (select userId, max(ts) as ts from staging_events group by userId) as latest
        on latest.userId = e.userId and latest.ts = e.ts
    join staging_files as f on f.file_id = e.file_id
),
-- Where the batch ties with what is known, the item's place in its session decides. It stands in the event's key.
-- Of several known events that tie, it is not known which the row came from: then it is of no session.
ties as (
    select distinct users.user_id, users.last_seen_at
    from users
    join seen on seen.user_id = users.user_id and seen.last_seen_at = users.last_seen_at
),
known_events as (
    select p.songplay_id as event_id, p.session_id, p.user_id
    from songplays as p
    join ties on ties.user_id = p.user_id and ties.last_seen_at = p.start_time
    union all
    select v.page_view_id, v.session_id, v.user_id
    from page_views as v
    join ties on ties.user_id = v.user_id and ties.last_seen_at = v.start_time
),
known_items as (
    select user_id, item, case when count(*) = 1 then max(session_id) end as session_id
    from (
        select user_id, item, session_id, max(item) over (partition by user_id) as last_item
        from (
            select
                user_id,
                session_id,
                cast(substring(event_id, before + 1, length(event_id) - before - length(user_id) - 1) as bigint) as item
            from (
                select
                    event_id,
                    user_id,
                    session_id,
                    length(split_part(event_id, '-', 1)) + length(cast(session_id as varchar)) + 2 as before
                from known_events
            ) as keys
        ) as items
    ) as ranked_items
    where item = last_item
    group by user_id, item
),
known as (
    select
        users.user_id,
        users.first_name,
        users.last_name,
        users.gender,
        users.level,
        users.registered_at,
        users.last_seen_at,
        coalesce(known_items.item, 0) as item_in_session,
        known_items.session_id,
        cast(null as integer) as redelivered_in,
        -1 as file_id,
        1 as is_known
    from users
    left join known_items on known_items.user_id = users.user_id
    where users.user_id in (select user_id from seen)
)
select user_id, first_name, last_name, gender, level, registered_at, last_seen_at
from (
    select
        standing.*,
        row_number() over (
            partition by user_id
            order by
                last_seen_at desc, item_in_session desc, preference,
                level, first_name, last_name, gender, registered_at, is_known desc
        ) as recency
    from (
        select
            sightings.*,
            -- A file delivered again replaces what came before it of the same event: of the same session.
            case
                when file_id >= coalesce(
                    max(redelivered_in) over (partition by user_id, last_seen_at, item_in_session, session_id), -1
                ) then 0
                else 1
            end as preference
        from (select * from seen union all select * from known) as sightings
    ) as standing
) as ranked
where recency = 1 and is_known = 0
