-- replaced_tracks: one row per track of the plays that the batch replaces. Afterwards, no play may refer to it.
select distinct p.track_id
from songplays as p
join decided_events as d on d.event_id = p.songplay_id
where d.replaces and d.is_play and p.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
