-- listening_by_state: one row per state with a play.
-- The state is the text after the last comma of the location. A metropolitan area in several states (NY-NJ-PA) counts
-- for each of them, up to four, so the rows add up to more than the number of plays.
-- state: The two-letter code of the state; unknown if the location is missing or names no state.
-- plays: The number of plays started there.
-- listeners: The number of users with such a play.
-- @period none
with places as (
    select user_id, plays, reverse(split_part(reverse(location), ' ,', 1)) as states
    from (
        select user_id, location, count(*) as plays
        from songplays
        group by user_id, location
    ) as per_location
)
select
    state,
    cast(sum(plays) as bigint) as plays,
    count(distinct user_id) as listeners
from (
    select
        user_id,
        plays,
        case
            when length(split_part(states, '-', n)) = 2 then split_part(states, '-', n)
            when n = 1 then 'unknown'
        end as state
    from places
    cross join (select 1 as n union all select 2 union all select 3 union all select 4) as numbers
) as per_state
where state is not null
group by state
