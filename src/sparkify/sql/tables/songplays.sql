-- songplays: one row per NextSong event.
create table if not exists songplays (
    songplay_id varchar(160),
    start_time timestamp,
    user_id varchar(64),
    level varchar(16),
    song_id varchar(64),
    artist_id varchar(64),
    session_id bigint,
    location varchar(512),
    user_agent varchar(1024),
    track_id varchar(32)
)
-- @redshift diststyle key distkey (start_time) sortkey (start_time)
