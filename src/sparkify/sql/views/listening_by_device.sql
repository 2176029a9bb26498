-- listening_by_device: one row per device and browser family with a play.
-- Both come from user_agent. The first name found decides, since browsers also name other browsers.
-- device: The device: Windows (Windows phones too, which also name Android and iPhone), iPhone, iPad, Android, Mac,
-- Linux, ChromeOS, other, or unknown if the log has no user agent.
-- browser: The browser family: Edge, Opera, Firefox, Chrome (Chromium too), Safari, Internet Explorer, other, or
-- unknown if the log has no user agent.
-- plays: The number of plays.
-- listeners: The number of users with a play; a user of two devices is in two rows.
-- @period none
with agents as (
    select user_agent, user_id, count(*) as plays
    from songplays
    group by user_agent, user_id
)
select
    device,
    browser,
    cast(sum(plays) as bigint) as plays,
    count(distinct user_id) as listeners
from (
    select
        user_id,
        plays,
        case
            when user_agent is null then 'unknown'
            when user_agent like '%Windows%' then 'Windows'
            when user_agent like '%iPhone%' or user_agent like '%iPod%' then 'iPhone'
            when user_agent like '%iPad%' then 'iPad'
            when user_agent like '%Android%' then 'Android'
            when user_agent like '%Macintosh%' then 'Mac'
            when user_agent like '%CrOS%' then 'ChromeOS'
            when user_agent like '%Linux%' then 'Linux'
            else 'other'
        end as device,
        case
            when user_agent is null then 'unknown'
            when user_agent like '%Edg/%' or user_agent like '%Edge/%' then 'Edge'
            when user_agent like '%EdgA/%' or user_agent like '%EdgiOS/%' then 'Edge'
            when user_agent like '%OPR/%' or user_agent like '%OPT/%' or user_agent like '%Opera%' then 'Opera'
            when user_agent like '%Firefox/%' or user_agent like '%FxiOS/%' then 'Firefox'
            when user_agent like '%Chrome/%' or user_agent like '%CriOS/%' then 'Chrome'
            when user_agent like '%MSIE %' or user_agent like '%Trident/%' then 'Internet Explorer'
            when user_agent like '%Safari/%' then 'Safari'
            else 'other'
        end as browser
    from agents
) as classified
group by device, browser
