-- songplays: one row per new play of the batch, with the catalogue's match of its track.
select
    e.event_id as songplay_id, e.start_time, e.userId as user_id, e.level, t.song_id, t.artist_id,
    e.sessionId as session_id, e.itemInSession as item_in_session, e.location, e.userAgent as user_agent, t.track_id
from staged_events as e
join tracks as t
    on t.title = e.song and t.artist_name = e.artist and coalesce(t.duration, -1) = coalesce(e.length, -1)
where e.is_play and not e.duplicate
