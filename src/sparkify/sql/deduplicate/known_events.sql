-- known_events: one row per staged event whose key the warehouse already has, and whether the two differ.
select
    e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id,
    coalesce(e.level, '') <> coalesce(p.level, '')
    or coalesce(e.location, '') <> coalesce(p.location, '')
    or coalesce(e.userAgent, '') <> coalesce(p.user_agent, '')
    or coalesce(e.song, '') <> coalesce(t.title, '')
    or coalesce(e.artist, '') <> coalesce(t.artist_name, '')
    or coalesce(e.length, -1) <> coalesce(t.duration, -1) as differs
from songplays as p
join staged_events as e
    on e.event_id = p.songplay_id
    -- PostgreSQL would expect one row of two conditions, and scan tracks once per event.
    -- @duckdb and e.start_time = p.start_time
    -- @redshift and e.start_time = p.start_time
join tracks as t on t.track_id = p.track_id
where e.is_play and p.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
union all
select
    e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id,
    coalesce(e.level, '') <> coalesce(v.level, '')
    or coalesce(e.location, '') <> coalesce(v.location, '')
    or coalesce(e.userAgent, '') <> coalesce(v.user_agent, '')
    or coalesce(e.page, '') <> coalesce(v.page, '')
    or coalesce(e.auth, '') <> coalesce(v.auth, '')
    or coalesce(e.method, '') <> coalesce(v.method, '')
    or (e.status is null) <> (v.status is null)
    or coalesce(e.status, 0) <> coalesce(v.status, 0) as differs
from page_views as v
join staged_events as e on e.start_time = v.start_time and e.event_id = v.page_view_id
where not e.is_play and v.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
