-- songplays: one row per play.
select
    row_number() over () as songplay_id, make_timestamp(p.ts * 1000) as start_time, p.userId as user_id, p.level,
    s.song_id, s.artist_id, p.sessionId as session_id, p.location, p.userAgent as user_agent
from {{ ref("plays") }} as p
left join {{ ref("catalogue") }} as s
    on s.title = p.song and s.artist_name = p.artist and s.duration = p.length
