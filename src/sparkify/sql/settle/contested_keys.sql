-- contested_keys: one row per event key that the batch holds more than once, or that the warehouse has already.
select ts, sessionId, itemInSession, userId, is_play, event_id
from staged_events
where exists (
    select 1
    from (select ts, sessionId from staging_events group by ts, sessionId having count(*) > 1) as repeated
    where repeated.ts = staged_events.ts and repeated.sessionId = staged_events.sessionId
)
group by ts, sessionId, itemInSession, userId, is_play, event_id
having count(*) > 1
union
select e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id
from songplays as p
join staged_events as e on e.start_time = p.start_time and e.event_id = p.songplay_id
where e.is_play
union
select e.ts, e.sessionId, e.itemInSession, e.userId, e.is_play, e.event_id
from page_views as v
join staged_events as e on e.start_time = v.start_time and e.event_id = v.page_view_id
where not e.is_play
