-- listening_by_year: one row per year of release with a play, and one for plays without a known year.
-- year: The year of release of the matched song; null if the play matches no song, or its song has no year.
-- plays: The number of plays.
-- listeners: The number of users with such a play.
-- @period none
select
    s.year,
    count(*) as plays,
    count(distinct p.user_id) as listeners
from songplays as p
left join songs as s on s.song_id = p.song_id
group by s.year
