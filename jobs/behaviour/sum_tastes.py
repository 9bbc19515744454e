"""Sum up by day what kinds of titles are watched: by profile, and by genre, device and hour."""

from cinelake.behaviour.tastes import genre_hours, taste_days
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.behaviour import TITLES
from cinelake.tables.tastes import GENRE_HOURS, TASTE_DAYS
from cinelake.tables.viewing import VIEWING_SESSIONS


@job(reads=[VIEWING_SESSIONS, history(TITLES)], writes=[TASTE_DAYS, GENRE_HOURS])
def sum_tastes(run: Run[JobParams]) -> None:
    sessions, titles = run.read(VIEWING_SESSIONS), run.read(TITLES)
    run.write(TASTE_DAYS, taste_days(sessions, titles))
    run.write(GENRE_HOURS, genre_hours(sessions, titles))


if __name__ == "__main__":
    sum_tastes.main()
