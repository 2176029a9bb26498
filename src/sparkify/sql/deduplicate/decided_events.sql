-- decided_events: one row per staged event with a contested key: whether it is kept, is a duplicate, or contradicts.
-- Of the events with one key, the first in order of content is kept; a known event is preferred to an equal one. But a
-- redelivered file replaces all earlier files, in the order of the files, in whatever batches they come, unless its
-- earlier version has lost against another file (lost_events).
-- A known event that a new one contradicts has a row too, without a file.
with candidates as (
    select
        k.event_id, k.is_play,
        case when f.redelivered and l.file_id is null then e.file_id end as redelivered_in,
        e.level, e.location, e.userAgent, e.song, e.artist, e.length, e.page, e.auth, e.method, e.status,
        1 as is_new,
        e.file_id,
        e.firstName, e.gender, e.itemInSession, e.lastName, e.registration, e.sessionId, e.ts, e.userId
        -- @redshift , e.length_text
    from contested_keys as k
    join staging_events as e
        on e.ts = k.ts and e.sessionId = k.sessionId and e.itemInSession = k.itemInSession
        and coalesce(e.userId, '') = coalesce(k.userId, '') and (e.page = 'NextSong') = k.is_play
    join staging_files as f on f.file_id = e.file_id
    left join (select distinct file_id, event_id, is_play from lost_events) as l
        on l.file_id = e.file_id and l.event_id = k.event_id and l.is_play = k.is_play
    union all
    select
        k.event_id, k.is_play, null,
        p.level, p.location, p.user_agent, t.title, t.artist_name, t.duration, 'NextSong', null, null, null,
        0, null, null, null, k.itemInSession, null, null, k.sessionId, k.ts, k.userId
        -- @redshift , null
    from contested_keys as k
    join songplays as p on p.songplay_id = k.event_id
    join tracks as t on t.track_id = p.track_id
    where k.is_play and p.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
    union all
    select
        k.event_id, k.is_play, null,
        v.level, v.location, v.user_agent, null, null, null, v.page, v.auth, v.method, v.status,
        0, null, null, null, k.itemInSession, null, null, k.sessionId, k.ts, k.userId
        -- @redshift , null
    from contested_keys as k
    join page_views as v on v.page_view_id = k.event_id
    where not k.is_play and v.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
),
compared as (
    select
        candidates.*,
        -- Only columns of the fact are compared: neither the song of a page view nor the status of a play counts.
        case when is_play then song end as play_song,
        case when is_play then artist end as play_artist,
        case when is_play then length end as play_length,
        case when not is_play then page end as view_page,
        case when not is_play then auth end as view_auth,
        case when not is_play then method end as view_method,
        case when not is_play then status end as view_status,
        case
            when coalesce(file_id, -1) >= coalesce(max(redelivered_in) over (partition by event_id, is_play), -1) then 0
            else 1
        end as preference
    from candidates
),
ranked as (
    select
        compared.*,
        row_number() over (
            partition by event_id, is_play
            order by
                preference, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status,
                is_new, file_id, firstName, lastName, gender, registration
        ) as place,
        min(is_new) over (
            partition by
                event_id, is_play, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status
        ) as is_unknown,
        min(is_new) over (partition by event_id, is_play) as is_first
    from compared
),
judged as (
    select
        ranked.*,
        min(place) over (
            partition by
                event_id, is_play, level, location, userAgent, play_song, play_artist, play_length,
                view_page, view_auth, view_method, view_status
        ) as first_place
    from ranked
)
select
    artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page, registration,
    sessionId, song, status, ts, userAgent, userId,
    -- @redshift length_text,
    file_id,
    not (place = 1 and is_unknown = 1) as duplicate,
    place = 1 and is_unknown = 1 and is_first = 0 as replaces,
    first_place > 1 as contradicts,
    event_id, is_play
from judged
where is_new = 1 or (first_place > 1 and preference = 0)
